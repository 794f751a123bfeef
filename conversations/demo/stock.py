"""What demonstration conversations are made of. ``%(place)s`` and the like are filled in from ``WORDS``."""


def _list(words: str) -> list[str]:
    return words.split()


WORDS = {
    "name": _list(
        "Amara Bruno Chiara Dilan Elif Farid Greta Hiro Ines Jonas Kamala Lior Mina Nuno Olga Priya Quentin Rosa Samir "
        "Tove Umberto Vera Wanjiru Xenia Yusuf Zofia Anouk Björn Céline Dagný Éva Füsun Håkon Iñaki Jürgen Łukasz Noël"
    ),
    "place": _list(
        "Lisbon Kyoto Ghent Oaxaca Tbilisi Reykjavík Zürich Łódź Málaga Tromsø Nairobi Hobart Valparaíso Sapporo Izmir "
        "Bergen Cusco Tallinn Marrakesh Halifax Bologna Pécs Galway Kraków Dakar Montréal Göteborg Salzburg Hanoi"
    ),
    "thing": _list(
        "backup greenhouse bicycle newsletter spreadsheet cupboard lantern telescope sourdough printer orchard kayak "
        "thermostat invoice compost bookshelf violin aquarium hammock barometer trellis workbench teapot satchel loom "
        "sundial kettle harvest archive beehive mosaic rucksack darkroom windmill terrarium accordion lighthouse"
    ),
    "kind": _list(
        "sturdy patient tidy crooked modest brittle generous hollow faded polished stubborn gentle portable seasonal "
        "weatherproof second-hand borrowed oversized quiet reliable makeshift narrow temperate frugal improvised"
    ),
    "part": _list(
        "hinge ledger gasket schedule margin valve footnote index bracket threshold filter socket column pattern "
        "handle batch registry layer joint cache queue checksum buffer table migration header token branch"
    ),
    "unit": _list("minutes hours grams litres metres pages rows requests degrees euros weeks steps"),
}  # fmt: skip

QUESTIONS = (
    "How do I plan a weekend in %(place)s without a car?",
    "Can you compare a %(kind)s %(thing)s with a %(kind)s one?",
    "Why does my %(part)s fail after %(number)d %(unit)s?",
    "Write a short letter to %(name)s about the %(thing)s",
    "What should I check before I buy a %(thing)s?",
    "Explain how a %(part)s works, as if to a beginner",
    "Help me name a %(thing)s shop in %(place)s",
    "Review this function that counts every %(part)s",
    "Draft an agenda for %(name)s's meeting on the %(thing)s",
    "What is a fair price for %(number)d %(unit)s of work on a %(thing)s?",
    "Turn these notes on the %(part)s into a table",
    "How many %(unit)s are there between %(number)d and %(other)d?",
    "Which books on the %(thing)s would %(name)s enjoy?",
    "Debug: the %(part)s of order %(number)d is counted twice",
    "Summarise what we know about the %(kind)s %(part)s",
    "Plan a vegetarian dinner for %(name)s and %(number)d guests",
    "What is the polite way to decline a %(thing)s?",
    "Translate a note about the %(thing)s for %(name)s in %(place)s",
    "How do I back up the %(part)s every %(number)d %(unit)s?",
    "Give me three ideas for a %(kind)s %(thing)s",
)
FOLLOW_UPS = (
    "And what would you do about the %(part)s?",
    "Could you make that shorter?",
    "Thanks. How does it change in %(place)s?",
    "That is more than %(number)d %(unit)s. Is there a cheaper way?",
    "Please show it as code.",
    "What if the %(thing)s is %(kind)s?",
    "%(name)s says the opposite. Who is right?",
    "Which of these would you begin with?",
    "Can you give the numbers for case %(number)d?",
    "And without the %(thing)s?",
)
SENTENCES = (
    "The short answer is that the %(part)s matters more than the %(thing)s.",
    "Start with what you have: a %(kind)s %(thing)s is enough for the first %(number)d %(unit)s.",
    "In %(place)s people solve this with a %(kind)s %(part)s, and it holds up well.",
    "I would measure first, then change one thing at a time, and write down what came of it.",
    "If the %(part)s is the bottleneck, replacing the %(thing)s will not help.",
    "%(name)s had the same question last year; the answer turned out to be the %(part)s.",
    "Keep the old %(part)s until the new one has worked for %(number)d %(unit)s.",
    "There is a trade-off: a %(kind)s design is easier to repair, a %(kind)s one is quicker to build.",
    "Note that this only works when the %(part)s and the %(thing)s come from the same place.",
    "The usual mistake is to buy a %(thing)s before anybody has looked at the %(part)s.",
    "It takes about %(number)d %(unit)s, of which most is waiting.",
    "You can leave the %(part)s out at first and add it when case %(number)d comes up again.",
    "Ask %(name)s to check the %(part)s; two people see more than one.",
    "After %(number)d %(unit)s the difference is hardly worth the trouble.",
    "None of this needs a %(kind)s %(thing)s, although it is nice to have.",
    "What surprised me is how much depends on the %(part)s.",
)
BLOCKS = (
    '```python\ndef count_%(part)s(rows: list[dict]) -> int:\n    """How many rows have a %(part)s."""\n'
    '    return sum(1 for row in rows if row.get("%(part)s"))\n\n\nprint(count_%(part)s([{}, {}]))\n```',
    "```sh\nrsync --archive --delete ~/%(thing)s/ backup:/srv/%(thing)s/  # every %(number)d %(unit)s\n```",
    "```sql\nSELECT %(part)s_id, COUNT(*) AS n\nFROM %(part)ss\nWHERE place = '%(place)s' AND n < %(number)d\n"
    "GROUP BY %(part)s_id\nORDER BY n DESC;\n```",
    "| option | %(unit)s | remark |\n|:---|---:|:---|\n| %(kind)s %(thing)s | %(number)d | to begin with |\n"
    "| with a %(part)s | %(other)d | if it has to last |",
    "1. **Look** at the %(part)s.\n2. **Replace** the %(thing)s, if it is %(kind)s.\n3. **Wait** %(number)d %(unit)s.\n"
    "4. Tell %(name)s.",
    "- the %(part)s, which is *%(kind)s*\n- a %(thing)s from %(place)s\n- `%(part)s --limit %(number)d`",
    "> Whoever keeps a %(kind)s %(thing)s should know its %(part)s.\n\nSo far %(name)s.",
    "## The %(part)s\n\nIt is what holds the %(thing)s together.",
)
THOUGHTS = (
    "The user asks about the %(part)s. Let me think about what a %(kind)s answer needs: the %(thing)s, the %(unit)s, "
    "and a warning. ",
    "First, is %(number)d plausible? Yes. Then the %(part)s comes before the %(thing)s. ",
    "I should not assume that %(name)s is in %(place)s. ",
    "A table may help, but a list is shorter. ",
)
