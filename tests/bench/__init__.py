"""What a token and a question cost, beside a bare relay measured in the same run: ``python -m tests.bench``."""
