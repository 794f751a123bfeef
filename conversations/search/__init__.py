"""What words a text has, which of them are looked for, and where they stand in it. Pure: it knows no database."""
