#!/bin/sh
#
# skips -- what skips a test, and what must not.

set -u

cd "$(dirname "$0")"
wrong=0

# expect STATUS OUTPUT SCRIPT ARGUMENT...
expect()
{
	status=$1 text=$2
	shift 2
	output=$(sh "$@" 2>&1)
	got=$?
	[ "$got $output" = "$status $text" ] && return
	echo "$*: $got, not $status: $output"
	wrong=1
}

expect 0 '' ./need.sh sh sed=1 make=3.5
expect 77 'no-such-tool is missing' ./need.sh sh no-such-tool sed
expect 77 "make $(make --version | sed -n '1s/.* //p') is here, 999.9 is needed" ./need.sh make=999.9
expect 0 fine ./fetch.sh echo fine
expect 0 'x509: unknown' ./fetch.sh echo 'x509: unknown'
expect 3 'main.go:7: undefined: x' ./fetch.sh sh -c 'echo main.go:7: undefined: x; exit 3'
expect 1 'E404 no such package' ./fetch.sh sh -c 'echo E404 no such package; exit 1'
expect 77 'dial tcp: lookup host: no such host
a registry cannot be reached: no such host' ./fetch.sh sh -c 'echo dial tcp: lookup host: no such host >&2; exit 1'
exit $wrong
