"""Histories of what clients asked and were told, and whether a correct store could have said it.

Values in, values out: no file, clock or thread; a clock is a function that the caller hands in.

    history.py       operations, and what became of each
    recognise.py     bytes of a file into a history, whatever its format
    jepsen_log.py · edn.py · trace.py   the formats, one a module
    export.py        a history into the formats of other checkers
    models.py        what one key of a correct store does, step by step
    parts.py         the operations on one key as one line of calls and returns
    search.py        the search for an order (Wing, Gong and Lowe), in slices
    shortcuts.py     verdicts without a search, where a history allows it
    linearizable.py  all keys in turn, within limits: the verdict
    shrink.py        a bad history made small
    settle.py        what the members' logs say of operations that nobody saw the end of
"""
