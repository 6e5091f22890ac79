#!/bin/sh
#
# fetch -- run a command that gets something from a registry.
#
# Ends with 77, which skips a test, when the registry cannot be reached or is
# not trusted here; the last line says so.  Other failures stay what they are:
# what the registry does not have, or what does not compile, is our mistake.
#
# usage: fetch.sh COMMAND...

set -u

# How pip, npm, Go and Maven put it.
name='temporary failure in name resolution|name or service not known|no address associated|unknown host|no such host|server misbehaving|EAI_AGAIN|ENOTFOUND'
way='(network|host) is unreachable|no route to host|connection (refused|reset|timed out)|E(NET|HOST)UNREACH|ECONN(REFUSED|RESET)|ETIMEDOUT'
wait='(connect|read|i/o|handshake) time(d )?out'
trust='certificate verify failed|failed to verify certificate|x509: |PKIX path|trustAnchors|SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)_[A-Z_]*'

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
"$@" >"$output" 2>&1 || status=$?
# Maven colours even what it is told not to.
sed 's/\x1b\[[0-9;]*m//g' "$output"
[ $status -ne 0 ] || exit 0
reason=$(grep -oiE "$name|$way|$wait|$trust" "$output" | head -n 1)
[ -n "$reason" ] || exit $status
echo "a registry cannot be reached: $reason"
exit 77
