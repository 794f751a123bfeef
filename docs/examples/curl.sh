#!/bin/sh
# sh curl.sh ask "What is 17 * 23?"    the events of the answer, as they come
# sh curl.sh resume RUN LAST           those after event LAST
# sh curl.sh poll RUN LAST             the same without a stream: as soon as there are some, or after 25 s
# sh curl.sh cancel RUN                stop it
set -eu
url=${CHAT_URL:-http://127.0.0.1:8000}
call() { curl --silent --show-error --no-buffer --header "Authorization: Bearer $TOKEN" "$@"; }

case $1 in
    ask)
        body=$(printf '{"message": "%s", "model": "%s"}' "$2" "${MODEL:-demo/demo}")
        call --header "Content-Type: application/json" --data "$body" "$url/api/chat/stream"
        ;;
    resume) call "$url/api/v1/runs/$2/events?after=$3" ;;
    poll) call "$url/api/v1/runs/$2?wait=25&after=$3" ;;
    cancel) call --request POST "$url/api/v1/runs/$2/cancel" ;;
esac
