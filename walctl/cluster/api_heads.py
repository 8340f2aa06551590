"""The headers of a node's HTTP API, for the side that answers and for those that ask.

FATE      what became of a request: ok, fail or unknown (`answers.Fate`)
INDEX     the log's index that an answer is of
LEADER    the name of the node that leads instead
HOSTS     who has the group: `n2=PORT, n4=PORT`
TOKEN     what a lab's own commands show to be let near /control
"""

from typing import Final

FATE: Final = "X-Walctl-Fate"
INDEX: Final = "X-Walctl-Index"
LEADER: Final = "X-Walctl-Leader"
HOSTS: Final = "X-Walctl-Hosts"
TOKEN: Final = "X-Walctl-Token"
