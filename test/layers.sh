#!/bin/sh
#
# layers.sh -- one request passes our folders from the top down, so no #include
# may point up, and only store (for our tables) and exec (for user code) may
# reach below SQL.  Prints each line that does.

set -eu
cd "$(dirname "$0")/.."

ranks='base:0 proto:1 core:2 schedule:2 visibility:2 wake:2 store:3 service:4 api:5 exec:5 worker:6 frontend:7'

upward_includes()
{
	grep -n '^#include "[a-z]*/' src/*/*.[ch] | awk -v ranks="$ranks" '
		BEGIN {
			n = split(ranks, pairs, " ")
			for (i = 1; i <= n; i++) {
				split(pairs[i], pair, ":")
				rank[pair[1]] = pair[2]
			}
		}
		{
			split($0, field, ":")
			split(field[1], from, "/")
			split($0, quoted, "\"")
			split(quoted[2], to, "/")
			if (!(from[2] in rank))
				print field[1] ":" field[2] ": " from[2] " has no place in ranks"
			else if (to[1] in rank && to[1] != from[2] && rank[to[1]] >= rank[from[2]])
				print field[1] ":" field[2] ": " from[2] " may not include " quoted[2]
		}'
}

below_sql()
{
	grep -n '^#include "\(executor/spi\|access/heapam\|access/tableam\)\.h"' src/*/*.[ch] |
		grep -v '^src/\(store\|exec\)/' |
		sed 's/:#include/: only store and exec may include/'
}

found=$(upward_includes; below_sql || true)
if [ -n "$found" ]; then
	echo "$found"
	exit 1
fi
