"""The language model: what it is told, what it may not see, how it is asked, and what its answer means.

The rule: what leaves this room for the model's provider holds placeholders where a person's details were.
"""
