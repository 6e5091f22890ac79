# An executor that is woken for tasks of two queues at once, and is with the first
# for long: the other one is for an executor that sleeps.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
temporal.executors = 2
temporal.extra_executors = 0
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub both_sleep
{
	return $node->poll_query_until('postgres', q{SELECT count(*) = 2 AND NOT bool_or(state = 'active') FROM pg_stat_activity WHERE backend_type = 'temporal executor'});
}

sql(q{
	CREATE EXTENSION temporal;
	CREATE SCHEMA app;
	CREATE FUNCTION app.hold() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock(1)';
	CREATE FUNCTION app.quick() RETURNS text LANGUAGE sql AS $$ SELECT 'quick' $$;
	SELECT temporal.register_activity('app.hold'), temporal.register_workflow('app.quick')});
my $gate = $node->background_psql('postgres');

# Which of the queues an executor looks at first depends on what it has done.
for my $round (1 .. 8)
{
	for my $n (1 .. $round % 3)
	{
		sql("CALL temporal.execute_workflow('quick', workflow_id => 'before $round $n')");
		both_sleep();
	}
	$gate->query_safe('SELECT pg_advisory_lock(1)');
	sql("SELECT temporal.start_workflow('by_hand', workflow_id => 'hand $round', task_queue => 'hand')");
	both_sleep();
	sql(qq{
		BEGIN;
		SELECT temporal.complete_workflow_task(temporal.poll_workflow_task('hand') ->> 'taskToken', '[{
			"commandType": "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK", "scheduleActivityTaskCommandAttributes": {
			"activityId": "a", "activityType": {"name": "hold"}, "taskQueue": {"name": "default"}, "startToCloseTimeout": "60s"}}]'::jsonb);
		SELECT temporal.start_workflow('quick', workflow_id => 'quick $round');
		COMMIT});
	is(sql("CALL temporal.await_result('quick $round', '30 s')"), '"quick"', "round $round");
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM temporal.pending_activity});
	sql("SELECT temporal.terminate_workflow('hand $round')");
}

$gate->quit;
$node->stop;
done_testing();
