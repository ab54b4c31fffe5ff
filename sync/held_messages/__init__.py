"""What the kill switch holds, for a person who decides of it: in groups, released or discarded.

`chosen` says which are meant; `groups` shows them; `deciding` has the two verbs. `shape`
tells texts apart without a word of them; `revealing` shows one, and says so in the audit log.
"""
