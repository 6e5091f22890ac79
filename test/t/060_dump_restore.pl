# A copy of the database does nothing until it is adopted: restored into a
# fresh server in the middle of running workflows, or cloned as a template.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'");
$node->start;
# There all timers have long been due.
my $fresh = PostgreSQL::Test::Cluster->new('fresh');
$fresh->init;
$fresh->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'");
$fresh->append_conf('postgresql.conf', "temporal.clock_offset = '2000s'");
$fresh->start;

sub run
{
	my ($from, @command) = @_;

	local $ENV{PGHOST} = $from->host;
	local $ENV{PGPORT} = $from->port;
	command_ok(\@command, "@command[0, 1]");
}

sub state_of
{
	return $_[0]->safe_psql($_[1], q{
		SELECT string_agg(workflow_id || ' ' || status, ', ' ORDER BY workflow_id) FROM temporal.workflows});
}

sub fails_with
{
	my ($server, $database, $statement, $sqlstate, $name) = @_;
	my ($ret, $out, $err) = $server->psql($database, "\\set VERBOSITY verbose\n$statement");

	like($err, qr/ERROR:  $sqlstate: /, $name);
}

# Everything that is not closed, after the keeper and workers had their chance.
sub is_inert
{
	my ($server, $database, $name) = @_;
	my $counts = "SELECT * FROM row_counts() WHERE name <> 'instance'";
	my $before = $server->safe_psql($database, $counts);

	$server->poll_query_until($database,
		"SELECT count(*) = 1 FROM temporal.stat_workers() WHERE kind = 'keeper' AND database = '$database' AND ticks > 0")
	  or die "$name: no keeper looks";
	like($server->safe_psql($database, 'SELECT problem, fix FROM temporal.status()'),
		qr/^not adopted\|SELECT temporal.adopt\(\)/m, "$name: status() says why");
	is($server->safe_psql($database, 'SELECT temporal.tick()'), '0', "$name: tick() does nothing");
	fails_with($server, $database, "SELECT temporal.poll_workflow_task('shop')", 'TW901', "$name: no workflow task");
	fails_with($server, $database, "SELECT temporal.poll_activity_tasks('shop')", 'TW901', "$name: no activity task");
	fails_with($server, $database, "CALL work_all()", 'TW901', "$name: no worker");
	is($server->safe_psql($database, "CALL temporal.wait_for_task('shop', '0')"), 'f', "$name: nobody is told of tasks");
	is($server->safe_psql($database, $counts), $before, "$name: nothing has changed");
}

# Workers run until all is closed.
sub finishes
{
	my ($server, $database, $expected, $name) = @_;

	for (1 .. 100)
	{
		$server->safe_psql($database, "CALL work_all('100 ms')");
		last if $server->safe_psql($database, 'SELECT count(*) FROM temporal.workflows WHERE close_time IS NULL') eq '0';
	}
	is(state_of($server, $database), $expected, "$name: all finish")
	  or diag($server->safe_psql($database, q{
		SELECT workflow_id, waiting_for FROM temporal.workflows WHERE close_time IS NULL;
		TABLE temporal.timer; TABLE temporal.task; TABLE temporal.pending_timer; TABLE temporal.instance;
		SELECT clock_timestamp(), * FROM temporal.stat_workers()}));
	is( $server->safe_psql($database, q{SELECT temporal.workflow_result('fires')}),
		'"charged fires"', "$name: with their results");
	# What a worker has met last is a problem until its next turn.
	ok($server->poll_query_until($database, 'SELECT count(*) = 0 FROM temporal.status()'), "$name: no problem is left")
	  or diag($server->safe_psql($database, 'SELECT * FROM temporal.status()'));
}

note 'workflows in the middle of everything';

$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', 'CREATE EXTENSION temporal');
run($node, 'psql', '-Xqf', 'test/t/include/shop.sql', 'shop');
$_->safe_psql('postgres', 'CREATE ROLE reader LOGIN') for ($node, $fresh);
$node->safe_psql('shop', q{
	SELECT temporal.register_namespace('other');
	SELECT temporal.grant_usage('reader', 'default', 'viewer');
	SELECT temporal.start_workflow('t', '0', 'closed', 'shop');});
$node->safe_psql('shop', 'CALL work_all()');
$node->poll_query_until('shop', 'SELECT count(*) = 0 FROM temporal.pending_timers') or die 'no timer fires';
$node->safe_psql('shop', 'CALL work_all()');
# Each stops one step further: its task waits, is taken, waits for the timer.
$node->safe_psql('shop', q{
	SELECT temporal.start_workflow('t', '1000', 'fires', 'shop');
	CALL temporal.work('shop', 'decide', 'workflow', idle_timeout => '0');
	SELECT temporal.start_workflow('t', '0', 'starts', 'shop');});
my $token = $node->safe_psql('shop', q{SELECT task_token FROM temporal.poll_activity_tasks('shop')});
$node->safe_psql('shop', q{SELECT temporal.signal_workflow('fires', 's', request_id => 'r')});
is(state_of($node, 'shop'), 'closed Completed, fires Running, starts Running', 'one is done, two are running');

note 'restored into a fresh server';

my $dump = $node->basedir . '/dump';
run($node, 'pg_dump', '-Fd', '-f', $dump, 'shop');
run($node, 'pg_dump', '-f', "$dump.sql", 'shop');
my $lasting = "SELECT * FROM row_counts() WHERE name <> 'instance'";
my $counts = $node->safe_psql('shop', $lasting);

$fresh->safe_psql('postgres', 'CREATE DATABASE shop');
# As the manual says for a restore in parallel.
run($fresh, 'pg_restore', '-d', 'shop', '--section=pre-data', $dump);
run($fresh, 'pg_restore', '-d', 'shop', '--data-only', '-n', 'temporal', '-t', 'instance', $dump);
is($fresh->safe_psql('shop', 'SELECT temporal.adopted()'), 'f', 'a copy is known before anything else is there');
run($fresh, 'pg_restore', '-d', 'shop', '-j2', '--section=data', '--section=post-data', $dump);
is($fresh->safe_psql('shop', $lasting), $counts, 'what was stored is there');
is_inert($fresh, 'shop', 'restored');
is($fresh->safe_psql('shop', 'SELECT count(*) FROM temporal.workflows', extra_params => [ '-U', 'reader' ]),
	'3', 'rights are restored, reading goes on');
$fresh->safe_psql('shop', 'SELECT temporal.adopt()');
ok($fresh->poll_query_until('shop', 'SELECT count(*) = 0 FROM temporal.pending_timers'), 'adopted: what is long due happens at once');
$fresh->safe_psql('shop', "SELECT temporal.complete_activity_task('$token', to_jsonb('charged fires'::text))");
finishes($fresh, 'shop', 'closed Completed, fires Completed, starts Completed', 'adopted');
is($fresh->safe_psql('shop', q{SELECT count(*) FROM temporal.history('fires') WHERE event_type = 'WorkflowExecutionSignaled'}),
	'1', 'a signal is there');
$fresh->safe_psql('shop', q{SELECT temporal.start_workflow('t', '0', 'closed', 'shop')});
$fresh->restart;
is($fresh->safe_psql('shop', 'SELECT temporal.adopted()'), 't', 'it stays adopted');
is($fresh->safe_psql('shop', 'SELECT count(*) FROM temporal.instance'), '1', 'by one row');

note 'restored over a database in use';

$fresh->safe_psql('postgres', 'CREATE DATABASE used');
$fresh->safe_psql('used', 'CREATE EXTENSION temporal');
$fresh->poll_query_until('used',
	"SELECT count(*) = 1 FROM temporal.stat_workers() WHERE kind = 'keeper' AND database = 'used' AND ticks > 0")
  or die 'no keeper';
is($fresh->safe_psql('used', 'SELECT temporal.adopted()'), 't', 'a new database acts');
# A claim leaves a hint where the queue begins, which is wrong afterwards.
$fresh->safe_psql('used', q{
	SELECT temporal.start_workflow('t', workflow_id => g, task_queue => 'shop') FROM unnest('{a,b}'::text[]) g;
	SELECT temporal.poll_workflow_task('shop') FROM generate_series(1, 3);
	SELECT temporal.terminate_workflow(g) FROM unnest('{a,b}'::text[]) g});
run($fresh, 'psql', '-Xqf', "$dump.sql", 'used');
is_inert($fresh, 'used', 'with what was restored it does not');
$fresh->safe_psql('used', 'SELECT temporal.adopt()');
$fresh->safe_psql('used', "SELECT temporal.complete_activity_task('$token', to_jsonb('charged fires'::text))");
finishes($fresh, 'used', 'a Terminated, b Terminated, closed Completed, fires Completed, starts Completed', 'adopted together');

note 'cloned in the same server';

$node->safe_psql('postgres', 'CREATE DATABASE clone TEMPLATE shop');
$node->append_conf('postgresql.conf', "temporal.clock_offset = '2000s'");
$node->reload;
is_inert($node, 'clone', 'cloned');
is($node->safe_psql('shop', 'SELECT temporal.adopted()'), 't', 'the original goes on');
my $changes_its_mind;
$node->psql('clone', q{BEGIN;
	SAVEPOINT s;
	SELECT temporal.adopt();
	SELECT temporal.poll_workflow_task('nothing');
	ROLLBACK TO s;
	SELECT temporal.poll_workflow_task('nothing')}, stderr => \$changes_its_mind);
like($changes_its_mind, qr/^psql:<stdin>:6: ERROR:  this database is a copy/, 'adopted, and then not');
$node->safe_psql('clone', 'SELECT temporal.adopt()');
$node->safe_psql('clone', q{SELECT temporal.complete_activity('fires', 'charge', to_jsonb('charged fires'::text))});
finishes($node, 'clone', 'closed Completed, fires Completed, starts Completed', 'adopted clone');
$node->safe_psql('shop', "SELECT temporal.complete_activity_task('$token', to_jsonb('charged fires'::text))");
finishes($node, 'shop', 'closed Completed, fires Completed, starts Completed', 'original');

done_testing();
