# The launcher keeps a keeper in each database that has the extension, and
# nobody who wants the database for himself is disturbed by it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# What a probe of another database looks like for a moment is not asked for.
my $keepers = q{
	SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), '') FROM pg_stat_activity
	WHERE backend_type = 'temporal keeper'};

# The workers, as shared memory has them.
my $stat_workers = q{
	CREATE FUNCTION stat_workers(OUT database text, OUT kind text, OUT pid integer,
		OUT state text, OUT started timestamptz, OUT ticks bigint, OUT transactions bigint,
		OUT items bigint, OUT last_error text, OUT note text)
	RETURNS SETOF record LANGUAGE c AS '$libdir/temporal', 'temporal_stat_workers'};

my $node;

sub keepers_are
{
	my ($expected, $name) = @_;

	ok($node->poll_query_until('postgres', $keepers, $expected), $name);
}

sub keeper_pid
{
	my ($database) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT pid FROM stat_workers()
		WHERE database = '$database' AND kind = 'keeper' AND state = 'running'});
}

sub new_keeper_comes
{
	my ($database, $old_pid, $name) = @_;

	ok( $node->poll_query_until(
			'postgres', qq{
		SELECT EXISTS (SELECT FROM stat_workers() WHERE database = '$database'
			AND kind = 'keeper' AND state = 'running' AND pid <> $old_pid)}),
		$name);
}

sub ticks_of
{
	my ($database) = @_;

	return $node->safe_psql('postgres',
		qq{SELECT ticks FROM stat_workers() WHERE database = '$database'});
}

# A keeper whose clock moves looks at its tables.
sub make_keepers_tick
{
	my ($offset) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET temporal.clock_offset = '$offset'");
	$node->reload;
}

sub keeper_ticks
{
	my ($database, $ticks, $name) = @_;

	ok( $node->poll_query_until(
			'postgres',
			qq{SELECT ticks > $ticks FROM stat_workers() WHERE database = '$database'}),
		$name);
}

sub make_node
{
	my ($name, @settings) = @_;
	my $made = PostgreSQL::Test::Cluster->new($name);

	$made->init(allows_streaming => 1);
	$made->append_conf('postgresql.conf', join("\n",
		"shared_preload_libraries = 'temporal'",
		'restart_after_crash = on',
		'allow_in_place_tablespaces = on',
		@settings, ''));
	$made->start;
	$made->safe_psql('postgres', $stat_workers);
	return $made;
}

# A psql in a transaction that is left open.
sub open_transaction
{
	my ($database, @statements) = @_;
	my $session = $node->background_psql($database);

	$session->query_safe('BEGIN');
	$session->query_safe($_) for @statements;
	return $session;
}

$node = make_node('main', 'max_worker_processes = 16');

note 'CREATE EXTENSION and DROP EXTENSION';

$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
like(($node->psql('latin', 'CREATE EXTENSION temporal'))[2], qr/needs a database of encoding UTF8, not LATIN1/,
	'another encoding is refused at once');
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(one two three);
$node->safe_psql($_, 'CREATE EXTENSION temporal') for qw(one two);
keepers_are('one two', 'a keeper for each database that has the extension');

$node->safe_psql('three', 'BEGIN; CREATE EXTENSION temporal; ROLLBACK');
$node->safe_psql('three', 'CREATE EXTENSION temporal');
keepers_are('one three two', 'one more after CREATE EXTENSION');

my $pid = keeper_pid('three');
my $ticks = ticks_of('three');
my $other_ticks = ticks_of('one');
my $session = open_transaction('three', 'DROP EXTENSION temporal');
make_keepers_tick('1s');
keeper_ticks('one', $other_ticks, 'an uncommitted DROP EXTENSION leaves other databases alone');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $pid"),
	'0', 'the keeper does not wait for it');
$session->query_safe('ROLLBACK');
$session->quit;
keeper_ticks('three', $ticks, 'the keeper goes on when DROP EXTENSION was rolled back');
is(keeper_pid('three'), $pid, 'it is the same process');

$node->safe_psql('three', 'DROP EXTENSION temporal');
keepers_are('one two', 'no keeper after DROP EXTENSION');

$pid = keeper_pid('two');
$node->safe_psql('two', 'BEGIN; DROP EXTENSION temporal; CREATE EXTENSION temporal; COMMIT');
new_keeper_comes('two', $pid, 'a new keeper for a new extension');

note 'commands that want a database for themselves';

$node->safe_psql('postgres', 'CREATE ROLE mallory LOGIN CREATEDB');
$pid = keeper_pid('two');
for my $refused (
	[ 'DROP DATABASE two', qr/must be owner of database two/ ],
	[ 'ALTER DATABASE two RENAME TO mine', qr/must be owner of database two/ ],
	[ 'ALTER DATABASE two SET TABLESPACE pg_default', qr/must be owner of database two/ ],
	[ 'CREATE DATABASE mine TEMPLATE two', qr/permission denied to copy database "two"/ ])
{
	my ($command, $error) = @$refused;
	my ($status, $out, $err) =
	  $node->psql('postgres', $command, extra_params => [ '-U', 'mallory' ]);

	like($err, $error, "refused: $command");
	is(keeper_pid('two'), $pid, 'the keeper has not noticed');
}

$node->safe_psql('postgres', 'CREATE DATABASE four TEMPLATE two');
keepers_are('four one two', 'copy of a database with a keeper');

$node->safe_psql('two', 'CREATE DATABASE own TEMPLATE two');
keepers_are('four one own two', 'copy of the database that one is connected to');

$node->safe_psql('postgres', 'DROP DATABASE own');
$node->safe_psql('postgres', 'ALTER DATABASE four RENAME TO five');
keepers_are('five one two', 'RENAME of a database with a keeper');

$session = open_transaction('postgres', 'ALTER DATABASE five RENAME TO six');
is($node->safe_psql('postgres', $keepers), 'one two', 'no keeper while RENAME is not committed');
$session->query_safe('ROLLBACK');
keepers_are('five one two', 'it comes back when RENAME was rolled back');

$session->query_safe('BEGIN');
$session->query_safe('ALTER DATABASE five RENAME TO six');
my $session_pid = $session->query_safe('SELECT pg_backend_pid()');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($session_pid)");
keepers_are('five one two', 'it comes back when the session of RENAME was terminated');
$session->{run}->finish;

$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION ''");
$node->safe_psql('postgres', 'ALTER DATABASE five SET TABLESPACE elsewhere');
keepers_are('five one two', 'SET TABLESPACE of a database with a keeper');

$node->safe_psql('postgres', 'DROP DATABASE five');
keepers_are('one two', 'DROP DATABASE of a database with a keeper');

$node->safe_psql('postgres', 'ALTER DATABASE two ALLOW_CONNECTIONS false');
keepers_are('one', 'no keeper where no connections are allowed');
$node->safe_psql('postgres', 'ALTER DATABASE two ALLOW_CONNECTIONS true');
keepers_are('one two', 'it comes back when they are');

note 'ends of processes';

$pid = keeper_pid('one');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
new_keeper_comes('one', $pid, 'a new keeper after pg_terminate_backend()');

$pid = keeper_pid('one');
my $launcher_pid = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'temporal launcher'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher_pid)");
ok( $node->poll_query_until(
		'postgres', qq{
	SELECT EXISTS (SELECT FROM stat_workers() WHERE kind = 'launcher' AND pid <> $launcher_pid)}),
	'a new launcher after pg_terminate_backend()');
$node->safe_psql('three', 'CREATE EXTENSION temporal');
keepers_are('one three two', 'the new launcher starts keepers');
is(keeper_pid('one'), $pid, 'and keeps those that it found');

kill 'KILL', $pid;
ok( $node->poll_query_until('postgres', 'SELECT true'), 'the server is back after kill -9 of a keeper');
keepers_are('one three two', 'and so are all keepers');

note 'too few worker slots';

# One slot is for logical replication, one for our launcher.
$node = make_node('small', 'max_worker_processes = 3');
# The look into a database needs a slot too, so it may be said before the end.
my $log_start = -s $node->logfile;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(one two);
$node->safe_psql('one', 'CREATE EXTENSION temporal');
keepers_are('one', 'the last slot is used');
$node->safe_psql('two', 'CREATE EXTENSION temporal');
ok( $node->poll_query_until(
		'postgres', q{
	SELECT EXISTS (SELECT FROM stat_workers() WHERE database = 'two' AND state = 'waiting'
		AND note LIKE '%max_worker_processes%')}),
	'the missing keeper is shown with the reason');
my $worker_problems = q{SELECT concat_ws('|', problem, detail, fix) FROM temporal.status() WHERE problem LIKE 'worker%'};
my $too_few = 'no background worker slot is free, increase max_worker_processes|increase max_worker_processes and restart';
is($node->safe_psql('two', $worker_problems), qq{worker: keeper|database "two", $too_few}, 'also as a problem, with what to do');
is($node->safe_psql('one', $worker_problems), '', 'which another database does not have');
$node->safe_psql('one', 'DROP EXTENSION temporal');
keepers_are('two', 'it starts when a slot is free');
is($node->safe_psql('two', $worker_problems), '', 'and is no problem any more');
my $log = slurp_file($node->logfile, $log_start);
my $logged = () = $log =~ /no background worker slot is free/g;
is($logged, 1, 'logged once');
like($log, qr/HINT:  Increase "max_worker_processes"/, 'with a hint');
$node->safe_psql('two', q{
	CREATE ROLE shopkeeper LOGIN;
	SELECT temporal.grant_usage('shopkeeper', 'default', 'worker');
	CREATE SCHEMA shop AUTHORIZATION shopkeeper;
	SET ROLE shopkeeper;
	CREATE FUNCTION shop.nothing() RETURNS text LANGUAGE sql AS 'SELECT NULL';
	SELECT temporal.register_workflow('shop.nothing')});
ok($node->poll_query_until('two', $worker_problems, qq{worker: executor|database "two", role "shopkeeper", $too_few}),
	'so is an executor, with its role');
$node->stop;

note 'standby';

my $primary = make_node('primary');
$primary->safe_psql('postgres', 'CREATE EXTENSION temporal');
$node = $primary;
keepers_are('postgres', 'a keeper on the primary');
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
$node = $standby;
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'temporal%'"),
	'0', 'nothing of ours runs on a standby');
$primary->stop;
$standby->promote;
keepers_are('postgres', 'a keeper after promotion');
$standby->stop;

note 'single-user mode';

my ($out, $err);
ok( run_log(
		[ 'postgres', '--single', '-D', $standby->data_dir, 'postgres' ],
		'<', \"SELECT extname FROM pg_extension WHERE extname = 'temporal';\n",
		'>', \$out, '2>', \$err),
	'single-user mode works');
like($out, qr/extname = "temporal"/, 'and answers');

done_testing();
