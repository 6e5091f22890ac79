# Functions that bench/run and bench/peers share: the private server that they
# measure, and figures of it.  Sourced, never run.

. "$(dirname "$0")/../script/lib.sh"
here=$(cd "$(dirname "$0")" && pwd -P)
database=bench

# ------------------------------------------------------------------- the server

# build FOLDER -- the extension, into a private copy of PostgreSQL in there.
build()
{
	version=$(git -C "$root" describe --always --dirty 2>/dev/null || true)
	PG_CONFIG=$("$root/script/prefix" "$1/pg") && export PG_CONFIG
	make -C "$root" -s -j "$(nproc)" PG_CONFIG="$PG_CONFIG" with_llvm=no all
	make -C "$root" -s PG_CONFIG="$PG_CONFIG" with_llvm=no install
}

# start_cluster FOLDER [OPTION]... -- a new one, as clients find it from now on;
# the options are those of script/cluster init.
start_cluster()
{
	local cluster=$1/cluster

	shift
	"$root/script/cluster" remove "$cluster" 2>/dev/null || true
	"$root/script/cluster" init -f "$here/bench.conf" "$@" "$cluster"
	"$root/script/cluster" start "$cluster"
	eval "$("$root/script/cluster" env "$cluster")"
}

# Neither a make that called us nor the settings of clients reach the server.
clean_environment()
{
	unset MAKEFLAGS MFLAGS MAKELEVEL
	for name in "${!PG@}"; do
		[ "$name" = PG_CONFIG ] || unset "$name"
	done
	export LC_ALL=C.UTF-8
}

sql()
{
	psql -XAtq -v ON_ERROR_STOP=1 -d "$database" "$@"
}

create_database()
{
	psql -Xq -d postgres -v ON_ERROR_STOP=1 -v name="$database" <<-'END'
		SET client_min_messages = warning;
		DROP DATABASE IF EXISTS :"name" WITH (FORCE);
		CREATE DATABASE :"name";
	END
}

# -------------------------------------------------------------------- its figures

# CPU of all processes of the server, those that have ended included, in ms.
server_cpu()
{
	# Processes end while we look.
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } |
		awk -v postmaster="$(head -n 1 "$PGDATA/postmaster.pid")" -v tick="$(getconf CLK_TCK)" '
			$1 == postmaster { ticks += $14 + $15 + $16 + $17 }
			$4 == postmaster { ticks += $14 + $15 }
			END { print ticks * 1000 / tick }'
}

# wal FROM TO -- bytes of records without images, bytes of images, commits.
wal()
{
	as_server "$(pg_config --bindir)/pg_waldump" --stats=record -p "$PGDATA/pg_wal" -s "$1" -e "$2" |
		awk '
			$1 ~ /^Transaction\/COMMIT/ { commits += $2 }
			$1 == "Total" { records = $3; images = $5 }
			END { print records, images, commits + 0 }'
}

now()
{
	date +%s.%N
}

calc()
{
	awk "BEGIN { printf \"%.6g\n\", $1 }"
}

# -------------------------------------------------------------------- the results

report()
{
	printf '%s\t%s\n' "$1" "$2"
}

# Reads "figure<TAB>value" lines; prints "figure<TAB>median<TAB>values", in the
# order of first appearance.
medians()
{
	awk -F '\t' '
		function shown(x) {
			return x == int(x) || x >= 100 ? sprintf("%.0f", x) : sprintf("%.3g", x)
		}
		!($1 in n) { order[++figures] = $1 }
		{ value[$1, ++n[$1]] = $2 }
		END {
			for (f = 1; f <= figures; f++) {
				name = order[f]
				runs = ""
				for (i = 1; i <= n[name]; i++)
					runs = runs (i > 1 ? ", " : "") shown(value[name, i])
				for (i = 2; i <= n[name]; i++)
					for (j = i; j > 1 && value[name, j - 1] > value[name, j] + 0; j--) {
						swap = value[name, j]
						value[name, j] = value[name, j - 1]
						value[name, j - 1] = swap
					}
				median = (value[name, int((n[name] + 1) / 2)] + value[name, int(n[name] / 2) + 1]) / 2
				print name "\t" shown(median) "\t" runs
			}
		}'
}

# What the figures are of.
machine()
{
	echo "PostgreSQL $(psql -XAtq -d postgres -c 'SHOW server_version'), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $version"
}
