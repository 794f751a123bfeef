"""What Redis carries out as one: the only commands by which the log of a run changes.

A run's log is a stream, its event n the entry ``n-0`` (a stream begins after 0-0, so n is free from 1 on, and whoever
reads it by hand sees events' numbers). Field ``t`` is the event's text as it is, ``s`` the size of all texts up to it,
so that the size of a backlog is a difference. Beside it stands a hash: ``number`` is the highest lease number that
wanted to write, ``pen`` who may write now, ``head`` and ``first`` what the stream has, ``size`` the ``s`` of the head,
``sealed`` that nothing comes any more. Both keys of a run lie in one slot of a cluster.

What is written needs no reply to be known: ``APPEND`` finds the head where it would have put it. ``allow-oom``: what
is short and makes room in the end goes through when memory is full.
"""

from dataclasses import dataclass
from hashlib import sha1


@dataclass(frozen=True)
class Script:
    text: str

    @property
    def digest(self) -> str:
        return sha1(self.text.encode(), usedforsecurity=False).hexdigest()


# KEYS of all of them: the stream, the hash.

# number, pen, milliseconds to live → the number before ('' for none) and the head (0: there is no log), or FENCED.
TAKE = Script("""#!lua flags=allow-oom
local before = redis.call('HGET', KEYS[2], 'number')
if before and tonumber(before) > tonumber(ARGV[1]) then return 'FENCED' end
redis.call('HSET', KEYS[2], 'number', ARGV[1], 'pen', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local head = redis.call('HGET', KEYS[2], 'head')
if not head or redis.call('EXISTS', KEYS[1]) == 0 then head = '0' end
return {before or '', head}
""")

# pen, the number of the first entry, 1 where that is a snapshot, milliseconds to live, texts → BEGUN or NO_PEN.
BEGIN = Script("""#!lua
if redis.call('HGET', KEYS[2], 'pen') ~= ARGV[1] then return 'NO_PEN' end
redis.call('DEL', KEYS[1])
local first, size = tonumber(ARGV[2]), 0
for i = 5, #ARGV do
  if not (i == 5 and ARGV[3] == '1') then size = size + #ARGV[i] end
  local id = string.format('%d-0', first + i - 5)
  redis.call('XADD', KEYS[1], id, 't', ARGV[i], 's', string.format('%d', size))
end
redis.call('HSET', KEYS[2], 'first', string.format('%d', first + tonumber(ARGV[3])),
  'head', string.format('%d', first + #ARGV - 5), 'size', string.format('%d', size))
redis.call('HDEL', KEYS[2], 'sealed')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 'BEGUN'
""")

# pen, the head that they follow, 1 where they are perhaps written already, texts → WRITTEN, NO_PEN, LOST or ELSEWHERE.
APPEND = Script("""#!lua
local known = redis.call('HMGET', KEYS[2], 'pen', 'head', 'size')
if known[1] ~= ARGV[1] then return 'NO_PEN' end
if not known[2] then return 'LOST' end
local head, old, count, size = tonumber(known[2]), tonumber(ARGV[2]), #ARGV - 3, tonumber(known[3])
if redis.call('EXISTS', KEYS[1]) == 0 or head < old then return 'LOST' end
if head ~= old then
  if ARGV[3] == '1' and head == old + count then return 'WRITTEN' end
  return 'ELSEWHERE'
end
for i = 1, count do
  size = size + #ARGV[3 + i]
  local id = string.format('%d-0', old + i)
  redis.call('XADD', KEYS[1], 'NOMKSTREAM', id, 't', ARGV[3 + i], 's', string.format('%d', size))
end
redis.call('HSET', KEYS[2], 'head', string.format('%d', old + count), 'size', string.format('%d', size))
return 'WRITTEN'
""")

# pen ('' where the run has ended: nobody's pen counts), the number of the first text, milliseconds to live, texts.
# What the rows have already follows where it fits. A log that an end does not fit is of no use any more.
SEAL = Script("""#!lua flags=allow-oom
local known = redis.call('HMGET', KEYS[2], 'pen', 'head', 'size')
local ended = ARGV[1] == ''
if not ended and known[1] ~= ARGV[1] then return 'NO_PEN' end
redis.call('HDEL', KEYS[2], 'pen')
local old, count = tonumber(ARGV[2]) - 1, #ARGV - 3
local head = known[2] and redis.call('EXISTS', KEYS[1]) == 1 and tonumber(known[2])
if head == old or head == old + count then
  local size = tonumber(known[3])
  for i = head - old + 1, count do
    size = size + #ARGV[3 + i]
    redis.call('XADD', KEYS[1], 'NOMKSTREAM', string.format('%d-0', old + i), 't', ARGV[3 + i],
      's', string.format('%d', size))
  end
  redis.call('HSET', KEYS[2], 'head', string.format('%d', old + count), 'size', string.format('%d', size))
  if ended then redis.call('HSET', KEYS[2], 'sealed', '1') end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return 'WRITTEN'
end
if ended then redis.call('DEL', KEYS[1], KEYS[2]) end
return 'LOST'
""")
