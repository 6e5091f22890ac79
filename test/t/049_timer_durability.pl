# S-49: a timer outlives the server.  No time passes: the clock of the engine
# is ahead when the server comes back.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('main');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# The server is killed, not stopped.  Until its last process is gone a new one
# refuses to start.
sub crash_and_restart
{
	my (%settings) = @_;
	my $tries = 10 * $PostgreSQL::Test::Utils::timeout_default;

	$node->kill9;
	$node->append_conf('postgresql.conf', "$_ = '$settings{$_}'") for keys %settings;
	until ($node->start(fail_ok => 1))
	{
		die 'the server does not start' if $tries-- == 0;
		usleep(100_000);
		$node->stop('fast', fail_ok => 1);    # or the node takes itself for running
	}
}

sub keeper_has_looked
{
	$node->poll_query_until('postgres', q{
		SELECT coalesce(sum(ticks), 0) > 0 FROM temporal.stat_workers()
		WHERE database = 'postgres' AND kind = 'keeper'})
	  or die 'the keeper does not look';
}

sub events_are
{
	my ($expected, $name) = @_;

	is( sql(q{SELECT string_agg(event_id || ' ' || event_type, ', ' ORDER BY event_id)
			FROM temporal.events WHERE workflow_id = 'w'}),
		$expected, $name);
}

my $before = '1 WorkflowExecutionStarted, 2 WorkflowTaskScheduled, 3 WorkflowTaskStarted, '
  . '4 WorkflowTaskCompleted, 5 TimerStarted';
my $fired = "$before, 6 TimerFired, 7 WorkflowTaskScheduled";

$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'");
$node->start;
sql('CREATE EXTENSION temporal');
sql(q{SELECT temporal.rpc('StartWorkflowExecution', '{"namespace": "default", "workflow_id": "w",
		"workflow_type": {"name": "wf"}, "task_queue": {"name": "q"}}')});
sql(q{SELECT temporal.rpc('RespondWorkflowTaskCompleted', jsonb_build_object(
		'task_token', temporal.rpc('PollWorkflowTaskQueue',
			'{"namespace": "default", "task_queue": {"name": "q"}}') -> 'taskToken',
		'commands', '[{"command_type": "COMMAND_TYPE_START_TIMER", "start_timer_command_attributes":
			{"timer_id": "t", "start_to_fire_timeout": "5000s"}}]'::jsonb))});
events_are($before, 'S-49 durability: the timer is started');

crash_and_restart('temporal.clock_offset' => '1000s');
keeper_has_looked();
events_are($before, 'S-49 killed and back before its time: it waits');
is(sql('SELECT timer_id FROM temporal.pending_timers'), 't', 'S-49 it is pending');

crash_and_restart('temporal.clock_offset' => '10000s');
ok( $node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM temporal.pending_timers'),
	'S-49 killed and back after its time: it fires');
events_are($fired, 'S-49 exactly one TimerFired');
is( sql(q{SELECT attributes FROM temporal.events WHERE event_id = 6}),
	'{"timerId": "t", "startedEventId": "5"}', 'S-49 the event of that timer');
is( sql(q{SELECT f.event_time >= s.event_time + interval '5000 s'
		FROM temporal.events s, temporal.events f WHERE s.event_id = 5 AND f.event_id = 6}),
	't', 'S-49 at its time');

crash_and_restart();
keeper_has_looked();
events_are($fired, 'S-49 killed once more: it does not fire again');
sql(q{SELECT temporal.rpc('RespondWorkflowTaskCompleted', jsonb_build_object(
		'task_token', temporal.rpc('PollWorkflowTaskQueue',
			'{"namespace": "default", "task_queue": {"name": "q"}}') -> 'taskToken',
		'commands', '[{"command_type": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION",
			"complete_workflow_execution_command_attributes": {}}]'::jsonb))});
events_are("$fired, 8 WorkflowTaskStarted, 9 WorkflowTaskCompleted, 10 WorkflowExecutionCompleted",
	'S-49 the workflow goes on');

$node->stop;
done_testing();
