"""Files of people: what they are by their content, what is kept of them, and where."""
