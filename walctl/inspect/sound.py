"""Whether a member's database can be built upon."""

from walctl.datadir.survey import Survey
from walctl.inspect.membership import is_foreign_database


def has_sound_database(seen: Survey) -> bool:
    """Whether the database reads whole, is this cluster's, and says what it has applied."""
    witness = seen.database
    return (
        witness is not None
        and not witness.defects
        and not seen.tree_defects
        and seen.database_problem is None
        and not witness.is_saved
        and witness.consistent_index is not None
        and not is_foreign_database(seen)
    )
