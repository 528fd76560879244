module autolfads.io/tests/cluster/pause

go 1.21
