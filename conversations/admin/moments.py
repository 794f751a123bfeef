def seconds(milliseconds: float | None) -> str:
    """A length of time as people read it: 120 ms, 2.0 s, 3 min 20 s, 2 h 5 min; a dash where there is none."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    whole = round(milliseconds / 1000, 1)
    if whole < 60:
        return f"{whole:.1f} s"
    minutes, rest = divmod(round(whole), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
