"""A real Kubernetes for the tests, built from its sources and started in seconds.

`build.py` has the binaries, `control_plane.py` starts them without a node (`kwok.py` pretends
any number), `node.py` with a kubelet and containerd, in namespaces of their own: nothing on the
machine changes. `python -m kube` starts and stops a cluster by hand.
"""
