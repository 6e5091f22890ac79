#!/bin/sh
# Compare src/proto with the official API; prints one line when they agree.
set -eu

cd "$(dirname "$0")"
sh ../need.sh go=1.21
top=$(cd ../.. && pwd)
mkdir -p "$top/build"

protoc --proto_path="$top/src/proto" --proto_path=/usr/include \
	--include_imports --descriptor_set_out="$top/build/proto.ds" \
	"$top"/src/proto/*.proto
sh ../fetch.sh go build -o "$top/build/proto-compare" .
exec "$top/build/proto-compare" "$top/build/proto.ds"
