#!/bin/sh
#
# qualified.sh -- the store's SQL runs as the owner of the extension under the
# search_path of whoever calls, so every function and type in it must name its
# schema.  Prints what does not.

set -eu
cd "$(dirname "$0")/.."

found=$(grep -o '"[^"]*"' src/store/*.c |
	sed -E 's/coalesce\(//g; s/::pg_catalog\.//g' |
	grep -E '(^|[^._[:alnum:]])[a-z_0-9]+\(|::[a-z]' || true)
if [ -n "$found" ]; then
	echo "$found"
	exit 1
fi
