from uuid import UUID


def owner_mark(owner_id: UUID) -> str:
    """The term that every message of a person has. The index itself then leaves out everybody else's, however many they
    are; no word is like it.
    """
    return f"owner={owner_id.hex}"
