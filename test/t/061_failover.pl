# A promoted standby and a crashed server go on by themselves.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION temporal;
	CREATE ROLE reader LOGIN;
	SELECT temporal.grant_usage('reader', 'default', 'viewer');});
{
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	command_ok([ 'psql', '-Xqf', 'test/t/include/shop.sql', 'postgres' ], 'handlers are made');
}
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

sub keepers
{
	return "SELECT count(*) FROM temporal.stat_workers() WHERE kind = 'keeper' AND database = 'postgres' AND ticks > 0";
}

# Workflows run to their end when somebody works on them.
sub finishes
{
	my ($server, $name) = @_;

	for (1 .. 100)
	{
		$server->safe_psql('postgres', "CALL work_all('100 ms')");
		last if $server->safe_psql('postgres', 'SELECT count(*) FROM temporal.workflows WHERE close_time IS NULL') eq '0';
	}
	is($server->safe_psql('postgres', 'SELECT DISTINCT status FROM temporal.workflows'), 'Completed', $name);
}

# A timer that is due soon, a task that waits, an activity that was begun.
sub start_some
{
	$node->safe_psql('postgres', qq{
		SELECT temporal.start_workflow('t', '1', '$_[0]' || g, 'shop') FROM generate_series(1, 2) g;
		CALL temporal.work('shop', 'decide', 'workflow', max_tasks => 1, idle_timeout => '0');});
}

note 'killed';

start_some('killed');
$node->kill9;
my $tries = 10 * $PostgreSQL::Test::Utils::timeout_default;
until ($node->start(fail_ok => 1))
{
	die 'the server does not start' if $tries-- == 0;
	usleep(100_000);
	$node->stop('fast', fail_ok => 1);
}
is($node->safe_psql('postgres', 'SELECT temporal.adopted()'), 't', 'after a crash nobody has to adopt anything');
finishes($node, 'workflows go on');

note 'standby';

$node->safe_psql('postgres', "SELECT temporal.start_workflow('t', workflow_id => 'ends', task_queue => 'by hand')");
$node->wait_for_catchup($standby);
my ($out, $err) = ('', '');
my $waiter = IPC::Run::start(
	['psql', '-XAtq', '-d', $standby->connstr('postgres'), '-c', "CALL temporal.await_result('ends', '20 s')"],
	'<', \undef, '>', \$out, '2>', \$err);
$standby->poll_query_until('postgres', q{
	SELECT count(*) = 1 FROM pg_stat_activity
	WHERE query LIKE 'CALL temporal.await_result%' AND wait_event_type = 'Extension'})
  or die 'nobody waits';
$node->safe_psql('postgres', q{
	SELECT temporal.complete_workflow_task(temporal.poll_workflow_task('by hand') ->> 'taskToken',
		'[{"commandType": "CompleteWorkflowExecution",
			"completeWorkflowExecutionCommandAttributes": {"result": ["over"]}}]')});
$waiter->finish;
is($out . $err, qq{"over"\n}, 'whoever waits on a standby sees the end');

note 'promoted';

start_some('promoted');
$node->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM temporal.workflows'), '5', 'a standby can be read');
is($standby->safe_psql('postgres', q{
		SELECT temporal.workflow_result('killed1');
		SELECT temporal.describe_workflow('promoted1') #>> '{workflowExecutionInfo,status}';
		SELECT count(*) FROM temporal.history('promoted2');}),
	qq{"charged killed1"\nWORKFLOW_EXECUTION_STATUS_RUNNING\n2}, 'so can its workflows, one by one');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM temporal.workflows', extra_params => [ '-U', 'reader' ]),
	'5', 'as a role with rights, too');
is($standby->safe_psql('postgres', keepers()), '0', 'nothing runs there');
(my $ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT temporal.start_workflow('t')");
like($err, qr/ERROR:  25006: cannot execute StartWorkflowExecution in a read-only transaction/, 'nothing can be started');
($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT temporal.tick()");
like($err, qr/ERROR:  25006/, 'tick() says that it cannot');
for my $call ('SELECT temporal.tick()', 'CALL temporal.run()', 'SELECT temporal.adopt()',
	q{SELECT temporal.grant_usage('reader', 'default', 'client')}, q{SELECT temporal.revoke_usage('reader', 'default')},
	q{CALL temporal.wait_for_task('shop', '0')}, q{CALL temporal.work('shop', 'charge')})
{
	my ($name) = $call =~ /(temporal\.\w+\(\)?)/;

	$name =~ s/\(.*/()/;
	($ret, $out, $err) = $standby->psql('postgres', $call);
	like($err, qr/cannot execute \Q$name\E in a read-only transaction\nHINT:  This server is a standby/, "$name says why not");
}
is($standby->safe_psql('postgres', 'SELECT problem FROM temporal.status()'), '', 'and that is no problem');
$node->stop('immediate');
$standby->promote;
ok($standby->poll_query_until('postgres', keepers(), '1'), 'a keeper starts at promotion');
is($standby->safe_psql('postgres', 'SELECT temporal.adopted()'), 't', 'after a promotion nobody has to adopt anything');
finishes($standby, 'workflows go on');

done_testing();
