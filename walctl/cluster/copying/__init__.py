"""A lab from copies of members that are somebody's: the originals are only read.

    analysis.py     what each directory is, and whose; what is refused
    addresses.py    URLs, and the book of which is put in the place of which
    readdress.py    log, snapshots and database written anew with the lab's addresses
    proof.py        nothing in what was written anew leads out of the lab
    namespace.py    the other way: a network namespace with the old addresses and nothing else
    inside.py       ... what is done in it before anything else runs
    forecast.py     what each member will do when it is started · rehearsal.py  of our engine
    holding.py      ... held against what it did
    files.py        the copies themselves, and hashes of the originals
    planning.py     which way is gone, and where everything will be
    making.py       all of it in order: from directories to a lab that can be started

A copy has the identity of a member that may be alive: let it speak to one of its peers, and it
votes and acknowledges in its name. So there are two ways and no third: either every address that
the copy knows is another one, or it runs where nothing but its own lab can be reached.

Nothing here starts a member.
"""
