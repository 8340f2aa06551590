"""Values that real API servers stored, and where a real one stores what.

The dumps are outputs of `etcdctl get KEY | hexdump -C` in public documents: the first two in those
of kleidi (a plug-in for keys, github.com/beezy-dev/kleidi), the third in a copy of the tutorial
"Kubernetes the hard way". Each holds the key, a newline, the value, a newline.
"""

from typing import NamedTuple


class Stored(NamedTuple):
    """A key and its value."""

    key: bytes
    value: bytes


def _stored(dump: str) -> Stored:
    key, _, value = bytes.fromhex(dump).partition(b"\n")
    return Stored(key, value.removesuffix(b"\n"))


SECRET = _stored("""
    2f 72 65 67 69 73 74 72 79 2f 73 65 63 72 65 74 73 2f 64 65 66 61 75 6c 74 2f 70 72 65 6b 6c 65
    69 64 69 2d 73 65 63 72 65 74 0a 6b 38 73 00 0a 0c 0a 02 76 31 12 06 53 65 63 72 65 74 12 d4 01
    0a b8 01 0a 10 70 72 65 6b 6c 65 69 64 69 2d 73 65 63 72 65 74 12 00 1a 07 64 65 66 61 75 6c 74
    22 00 2a 24 61 35 36 37 36 66 35 62 2d 35 66 31 33 2d 34 34 63 66 2d 61 66 63 37 2d 39 37 35 30
    31 30 31 31 30 36 35 31 32 00 38 00 42 08 08 93 f5 80 b3 06 10 00 8a 01 62 0a 0e 6b 75 62 65 63
    74 6c 2d 63 72 65 61 74 65 12 06 55 70 64 61 74 65 1a 02 76 31 22 08 08 93 f5 80 b3 06 10 00 32
    08 46 69 65 6c 64 73 56 31 3a 2e 0a 2c 7b 22 66 3a 64 61 74 61 22 3a 7b 22 2e 22 3a 7b 7d 2c 22
    66 3a 6d 79 6b 65 79 22 3a 7b 7d 7d 2c 22 66 3a 74 79 70 65 22 3a 7b 7d 7d 42 00 12 0f 0a 05 6d
    79 6b 65 79 12 06 6d 79 64 61 74 61 1a 06 4f 70 61 71 75 65 1a 00 22 00 0a
""")
"""A Secret, not encrypted; its data is `mykey: mydata`."""

SEALED_BY_PLUGIN = _stored("""
    2f 72 65 67 69 73 74 72 79 2f 73 65 63 72 65 74 73 2f 64 65 66 61 75 6c 74 2f 70 6f 73 74 6b 6c
    65 69 64 69 2d 73 65 63 72 65 74 0a 6b 38 73 3a 65 6e 63 3a 6b 6d 73 3a 76 32 3a 6b 6c 65 69 64
    69 2d 6b 6d 73 2d 70 6c 75 67 69 6e 3a 0a aa 02 98 45 a9 2d 64 9c 71 0e ad cb c5 56 22 8a 3a 0e
    e9 84 d3 ce 57 24 6b 99 c2 2d 6d 87 bf 67 37 2e 71 bd 0c a0 69 a6 56 ae 13 67 f3 fc f2 5c 81 66
""")
"""The beginning of a Secret that a plug-in for keys has encrypted."""

SEALED_BY_KEY = _stored("""
    2f 72 65 67 69 73 74 72 79 2f 73 65 63 72 65 74 73 2f 64 65 66 61 75 6c 74 2f 6b 75 62 65 72 6e
    65 74 65 73 2d 74 68 65 2d 68 61 72 64 2d 77 61 79 0a 6b 38 73 3a 65 6e 63 3a 61 65 73 63 62 63
    3a 76 31 3a 6b 65 79 31 3a 61 bb c0 45 f2 df 88 36 46 05 df c1 df 26 e1 e0 59 18 9f 7d 51 7a d9
    28 0d 03 4e c3 14 55 01 51 d6 aa cc 50 21 a5 09 86 92 89 9b 33 82 43 09 7d 5b fe bb 68 45 43 48
    96 9a 1e a8 88 30 82 a8 2c d8 26 ea 12 19 58 da 3a 25 ed 6b 47 1f e2 e9 31 91 e6 cf 64 bb 19 41
    fe 2b 7a 86 a8 be e4 c0 b6 98 2e dc 96 92 58 92 c4 6b c1 85 a9 d0 ec d6 03 2d c7 2c 14 f5 da 03
    ef c6 c9 2b bc 26 9c 36 ab 0c da 08 f2 8b 79 c7 12 98 55 5f 4c 56 f7 fd e1 71 45 16 a3 59 01 76
    97 5b d1 cc 91 92 c5 d9 05 0a
""")
"""A Secret, encrypted with the key `key1` of the server's configuration."""

NAMESPACE = "etcdstoragepathtestnamespace"
PATHS = (
    # Group of the key, resource, namespace, name, and where Kubernetes' own test expects it
    # (test/integration/etcd/data.go).
    (None, "configmaps", NAMESPACE, "cm1", f"/registry/configmaps/{NAMESPACE}/cm1"),
    (None, "services", NAMESPACE, "service1", f"/registry/services/specs/{NAMESPACE}/service1"),
    (None, "endpoints", NAMESPACE, "ep1name", f"/registry/services/endpoints/{NAMESPACE}/ep1name"),
    (None, "pods", NAMESPACE, "pod1", f"/registry/pods/{NAMESPACE}/pod1"),
    (None, "namespaces", None, "namespace1", "/registry/namespaces/namespace1"),
    (None, "nodes", None, "node1", "/registry/minions/node1"),
    (None, "persistentvolumes", None, "pv1name", "/registry/persistentvolumes/pv1name"),
    (None, "replicationcontrollers", NAMESPACE, "rc1", f"/registry/controllers/{NAMESPACE}/rc1"),
    (None, "deployments", NAMESPACE, "d4", f"/registry/deployments/{NAMESPACE}/d4"),
    (None, "leases", NAMESPACE, "leasev1", f"/registry/leases/{NAMESPACE}/leasev1"),
    (None, "ingresses", NAMESPACE, "ingress3", f"/registry/ingress/{NAMESPACE}/ingress3"),
    (None, "ipaddresses", None, "192.168.1.3", "/registry/ipaddresses/192.168.1.3"),
    (
        None,
        "clustertrustbundles",
        None,
        "example.com:signer:abc",
        "/registry/clustertrustbundles/example.com:signer:abc",
    ),
    (
        "apiregistration.k8s.io",
        "apiservices",
        None,
        "as2.foo.com",
        "/registry/apiregistration.k8s.io/apiservices/as2.foo.com",
    ),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        None,
        "foos.cr.bar.com",
        "/registry/apiextensions.k8s.io/customresourcedefinitions/foos.cr.bar.com",
    ),
    ("cr.bar.com", "foos", NAMESPACE, "cr1foo", f"/registry/cr.bar.com/foos/{NAMESPACE}/cr1foo"),
    ("awesome.bears.com", "pandas", None, "cr3", "/registry/awesome.bears.com/pandas/cr3"),
)
"""The custom resources' definition, the deployment and the panda have shorter names than there."""
