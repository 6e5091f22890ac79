#!/bin/sh
#
# need -- whether tools are here, and new enough.
#
# Ends with 77, which skips a test, after saying what is not.
#
# usage: need.sh TOOL[=VERSION]...

set -eu

version_of()
{
	case $1 in
	go) go version ;;
	*) "$1" --version ;;
	esac 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)*' | head -n 1
}

for tool; do
	name=${tool%%=*}
	wanted=${tool#"$name"} && wanted=${wanted#=}
	command -v "$name" >/dev/null || { echo "$name is missing"; exit 77; }
	[ -n "$wanted" ] || continue
	version=$(version_of "$name" || true)
	printf '%s\n' "$wanted" "$version" | sort -CV ||
		{ echo "$name ${version:-of an unknown version} is here, $wanted is needed"; exit 77; }
done
