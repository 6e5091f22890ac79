# Functions that the scripts in this folder share.  Sourced, never run.

root=$(cd "$(dirname "$0")/.." && pwd -P)

fail()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

is_root()
{
	[ "$(id -u)" -eq 0 ]
}

as_root()
{
	if is_root; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "\"$1\" needs root: install sudo, or run this as root"
	fi
}

# PostgreSQL refuses to run as root, so root lends its servers to the user that
# the distribution's packages have made for them.
server_user()
{
	if is_root; then echo postgres; else id -un; fi
}

as_server()
{
	if is_root; then runuser -u postgres -- "$@"; else "$@"; fi
}

pg_config()
{
	"${PG_CONFIG:-/usr/bin/pg_config}" "$@"
}

# missing_packages NAME... -- those of the Debian packages that are not
# installed.
missing_packages()
{
	for package; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
		[ "$status" = installed ] || printf '%s ' "$package"
	done
}

# install_packages NAME... -- what is missing of them; apt does not even start
# when nothing is.
install_packages()
{
	packages=$(missing_packages "$@")
	[ -n "$packages" ] || return 0
	echo "installing $packages"
	as_root apt-get -qq update
	# shellcheck disable=SC2086 # a list of words
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -y --no-install-recommends install $packages </dev/null >/dev/null
}

# The first mirror of Debian itself among apt's sources, in either format.
mirror()
{
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		grep -E '/debian/?$' | head -n 1 || true)
	[ -n "$uri" ] || fail "apt has no source of Debian"
	echo "${uri%/}"
}

# server_folder DIR -- where the files of a server that was asked for in DIR
# go.  That is DIR, unless its user could not get there (root's checkout in a
# closed home folder) or the path is too long for a socket, which ends at 107
# bytes.  Then it is a folder for temporary files whose name derives from DIR,
# so that later calls find it again.
server_folder()
{
	folder=$(realpath -m "$1")
	ancestor=$folder
	while [ ! -e "$ancestor" ]; do ancestor=$(dirname "$ancestor"); done
	if [ ${#folder} -le 85 ] && as_server test -x "$ancestor"; then
		echo "$folder"
		return
	fi
	tmp=${TMPDIR:-/tmp}
	if [ ${#tmp} -gt 60 ] || ! as_server test -w "$tmp"; then tmp=/tmp; fi
	echo "$tmp/temporal-$(id -u)-$(printf %s "$folder" | cksum | cut -d' ' -f1)"
}

# make_server_folder DIR -- create it, for the server's user alone.  A folder
# of somebody else that happens to have the name is not touched.
make_server_folder()
{
	if [ -L "$1" ] || { [ -e "$1" ] && [ ! -O "$1" ] &&
		[ "$(stat -c %U "$1")" != "$(server_user)" ]; }; then
		fail "\"$1\" belongs to somebody else"
	fi
	mkdir -p "$1"
	chmod 700 "$1"
	if is_root; then chown postgres: "$1"; fi
}

# Only what was really bound tells whether a port is free.
port_is_free()
{
	perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(
		LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1)' "$1"
}

# need_free_port PORT -- an error unless it can be bound; "none" can.
need_free_port()
{
	case $1 in
	none | '') ;;
	*[!0-9]*) fail "\"$1\" is not a port" ;;
	*) port_is_free "$1" || fail "port $1 on 127.0.0.1 is in use, or not allowed to you: choose another" ;;
	esac
}

# copy_tree DIR -- the sources, without what a build has left among them.
copy_tree()
{
	mkdir -p "$1"
	rsync -a --delete --include='/sql/temporal--*--*.sql' --filter=':- .gitignore' \
		--exclude=/.git "$root/" "$1/"
}

# build_extension DIR PG_CONFIG -- build and install what a folder of sources
# has.  Bitcode is for JIT only.
build_extension()
{
	as_server make -C "$1" -s -j "$(nproc)" PG_CONFIG="$2" with_llvm=no all &&
		as_server make -C "$1" -s PG_CONFIG="$2" with_llvm=no install
}

# free_port -- one that nobody listens on now.
free_port()
{
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(
		LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1)->sockport'
}
