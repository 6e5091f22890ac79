# What is done in a transaction happens when it commits and not otherwise:
# rolled back it leaves no trace, held open nobody sees it, and work starts at
# once after the commit.  With TEMPORAL_SOAK longer and with more.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $soak = $ENV{TEMPORAL_SOAK};
my $many = $soak ? 100_000 : 20_000;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_prepared_transactions = 5
fsync = off
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sql('CREATE EXTENSION temporal');
{
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	command_ok([ 'psql', '-Xqf', 'test/t/include/shop.sql', 'postgres' ], 'handlers are made');
}
sql(q{
	CREATE TABLE worked (workflow_id text, at timestamptz);

	-- Every row of every table of the extension, as one number a table.
	CREATE FUNCTION everything() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		name text;
		digest text;
		result text := '';
	BEGIN
		FOR name IN SELECT relname FROM pg_class
			WHERE relnamespace = 'temporal'::regnamespace AND relkind = 'r' ORDER BY 1
		LOOP
			EXECUTE format('SELECT count(*) || %L || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM temporal.%I t', ':', name) INTO digest;
			result := result || name || ' ' || digest || E'\n';
		END LOOP;
		RETURN result;
	END
	$$;

	-- Handler of tasks of both kinds, which notes when it was called.
	CREATE FUNCTION note(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO worked VALUES (coalesce(task ->> 'workflowId', task #>> '{workflowExecution,workflowId}'), clock_timestamp());
		RETURN CASE WHEN task ? 'history' THEN decide(task) ELSE charge(task) END;
	END
	$$;});

note 'rolled back';

# Tokens and ids that the operations below work on.
sql(q{SELECT temporal.start_workflow('t', '1000', 'open', 'shop', task_timeout => '120 s');
	SELECT temporal.start_workflow('t', '1000', 'tasked', 'shop', task_timeout => '120 s');
	CALL temporal.work('shop', 'decide', 'workflow', max_tasks => 1);
	SELECT temporal.start_workflow('t', '1000', 'closed', 'shop');
	SELECT temporal.terminate_workflow('closed');});
my $activity = sql(q{SELECT task_token FROM temporal.poll_activity_tasks('shop')});
my $workflow = sql(q{SELECT temporal.poll_workflow_task('shop') ->> 'taskToken'});
my %operations = (
	'a start' => q{temporal.start_workflow('t', '1', 'new', 'elsewhere', memo => '{"a": 1}')},
	'a start of an id that is used again' => q{temporal.start_workflow('t', '1', 'closed', 'shop')},
	'a signal' => q{temporal.signal_workflow('open', 's', '1', 'request')},
	'a signal that starts' => q{temporal.signal_with_start_workflow('s', 't', workflow_id => 'new', task_queue => 'elsewhere')},
	'a cancel request' => q{temporal.cancel_workflow('open')},
	'a termination' => q{temporal.terminate_workflow('open')},
	'a deletion' => q{temporal.delete_workflow('closed')},
	'a heartbeat' => qq{temporal.heartbeat_activity_task('$activity', '1')},
	'a completed activity' => qq{temporal.complete_activity_task('$activity', '1')},
	'a failed activity' => qq{temporal.fail_activity_task('$activity', 'no')},
	'a completed workflow task' => qq{temporal.complete_workflow_task('$workflow', jsonb_build_array(
		command('completeWorkflowExecution', '{}')))},
	'a failed workflow task' => qq{temporal.fail_workflow_task('$workflow', 'no')},
	'a namespace' => q{temporal.register_namespace('new')},
	'a right' => q{temporal.grant_usage('pg_monitor', 'default', 'viewer')},
	'due work' => q{set_config('temporal.clock_offset', '20000s', true), temporal.tick()},
);
# Nothing may happen by itself meanwhile.
$node->poll_query_until('postgres', q{
	SELECT count(*) = 0 FROM temporal.timer WHERE fire_at < now() + interval '1 min'}) or die 'something is due';
my $before = sql('SELECT everything()');
for my $name (sort keys %operations)
{
	my $call = $operations{$name};
	my $after = sql("BEGIN; SELECT $call \\g /dev/null\nSELECT everything(); ROLLBACK;");

	isnt($after, $before, "$name is there in its transaction,");
	is(sql('SELECT everything()'), $before, 'gone when it is rolled back,');
	is(sql("BEGIN; SAVEPOINT s; SELECT $call \\g /dev/null\nROLLBACK TO s; SELECT everything(); COMMIT;"),
		$before, 'to a savepoint,');
	sql(qq{DO \$\$ BEGIN PERFORM $call; RAISE EXCEPTION 'undo'; EXCEPTION WHEN raise_exception THEN END \$\$});
	is(sql('SELECT everything()'), $before, 'or by an exception');
}
sql("BEGIN; SELECT $operations{'a start'}; PREPARE TRANSACTION 'p'");
is(sql('SELECT everything()'), $before, 'what is prepared is not there yet,');
sql("ROLLBACK PREPARED 'p'");
is(sql('SELECT everything()'), $before, 'nor when it is rolled back');

note 'held open, then committed';

# Sessions that wait for tasks, and one that does something.
my %worker;
for my $type ('workflow', 'activity')
{
	$worker{$type} = $node->background_psql('postgres', on_error_stop => 0);
	$worker{$type}->query_until(qr/working/, "\\echo working\nCALL temporal.work('held', 'note', '$type');\n");
}
my $session = $node->background_psql('postgres');

sub workers_wait
{
	$node->poll_query_until('postgres', q{
		SELECT count(*) = 2 FROM pg_stat_activity WHERE query LIKE 'CALL temporal.work%' AND wait_event_type = 'Extension'})
	  or die 'workers do not wait';
}

# Commits, with "COMMIT" or otherwise; the next task must be worked on soon.
sub work_starts
{
	my ($name, $seconds, $commit) = @_;

	workers_wait();
	sql('SELECT pg_sleep(35)') if $soak && $name eq 'a start';
	workers_wait();
	is(sql('SELECT count(*) FROM worked'), '0', "$name: nobody works before the commit");
	$session->query_safe($commit);
	my $committed = $session->query_safe('SELECT clock_timestamp()');
	$node->poll_query_until('postgres', 'SELECT EXISTS (SELECT FROM worked)') or die "$name: nobody works";
	is(sql("SELECT min(at) - '$committed' < '$seconds s' FROM worked"), 't', "$name: and at once after it")
	  or diag(sql("SELECT min(at) - '$committed' FROM worked"));
	workers_wait();
	sql('TRUNCATE worked');
}

$session->query_safe('BEGIN');
$session->query_safe(q{SELECT temporal.start_workflow('t', '1000', 'held', 'shop')});
$session->query_safe(q{SELECT temporal.start_workflow('t', '1000', 'begun', 'held')});
work_starts('a start', 1, 'COMMIT');
$session->query_safe('BEGIN');
$session->query_safe(q{SELECT temporal.signal_workflow('begun', 's')});
work_starts('a signal', 1, 'COMMIT');

# The completion of a workflow task by hand schedules an activity for others.
my $token = sql(q{SELECT temporal.start_workflow('t', '1000', 'by hand', 'by hand') \g /dev/null
	SELECT temporal.poll_workflow_task('by hand') ->> 'taskToken'});
$session->query_safe('BEGIN');
$session->query_safe(qq{SELECT temporal.complete_workflow_task('$token', jsonb_build_array(
	command('scheduleActivityTask', '{"activityId": "a", "activityType": {"name": "a"}, "taskQueue": {"name": "held"},
		"startToCloseTimeout": "9s"}')))});
work_starts('a completion', 1, 'COMMIT');
$session->query_safe('BEGIN');
$session->query_safe('SAVEPOINT s');
$session->query_safe(q{SELECT temporal.start_workflow('t', '1000', 'undone', 'held')});
$session->query_safe('ROLLBACK TO s');
$session->query_safe('SAVEPOINT s');
$session->query_safe(q{SELECT temporal.start_workflow('t', '1000', 'kept', 'held')});
$session->query_safe('RELEASE s');
work_starts('a start behind a savepoint', 1, 'COMMIT');
# Of a prepared transaction nobody tells; the keeper looks every second.
$session->query_safe('BEGIN');
$session->query_safe(q{SELECT temporal.start_workflow('t', '1000', 'prepared', 'held')});
$session->query_safe(q{PREPARE TRANSACTION 'p'});
work_starts('a prepared transaction', 5, q{COMMIT PREPARED 'p'});
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL temporal.work%'});
$_->{run}->finish for values %worker;
$session->quit;

note "$many starts by one statement";

$session = $node->background_psql('postgres');
sql(q{
	CREATE FUNCTION memory() RETURNS bigint LANGUAGE plpgsql AS $$
	BEGIN
		RETURN (SELECT sum(total_bytes) FROM pg_backend_memory_contexts);
	END
	$$;
	SELECT temporal.start_workflow('t', workflow_id => 'few' || g, task_queue => 'many') FROM generate_series(1, 5) g;});

# Starts them, without an end of the transaction; the memory in use near the
# begin and near the end of the statement.
sub start_many
{
	$session->query_safe('BEGIN');
	my $memory = $session->query_safe(qq{
		SELECT string_agg(m::text, ' ') FROM (
			SELECT temporal.start_workflow('t', '1', 'many' || g, 'many'),
				CASE WHEN g IN (1000, $many) THEN memory() END AS m
			FROM generate_series(1, $many) g OFFSET 0) s});
	return split(/ /, $memory);
}

for my $end ('ROLLBACK', 'COMMIT')
{
	my ($first, $last) = start_many();
	cmp_ok($last - $first, '<', 1_000_000, "$end: memory does not grow with the number of starts");
	cmp_ok($session->query_safe('SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()'),
		'<', 100, "$end: nor does the number of locks");

	# Others go on meanwhile, also on the same queue, and with the same ids.
	is(sql(q{
			SET statement_timeout = '5s';
			SELECT temporal.poll_workflow_task('many') #>> '{workflowExecution,workflowId}' LIKE 'few%'}),
		't', "$end: an older task of the queue is claimed while it is open");
	is(sql(qq{SET statement_timeout = '5s';
			SELECT temporal.start_workflow('t', task_queue => 'other at $end') \\g /dev/null
			SELECT temporal.poll_workflow_task('other at $end') ->> 'attempt'}),
		'1', "$end: and one of another queue");
	my ($ret, $out, $err) = $node->psql('postgres', q{SET lock_timeout = '100 ms'; SELECT temporal.start_workflow('t', workflow_id => 'many1')});
	like($err, qr/lock timeout/, "$end: a start of the same id waits for the outcome");
	$session->query_safe($end);
	is(sql(q{SELECT count(*) FROM temporal.workflows WHERE workflow_id LIKE 'many%'}), $end eq 'COMMIT' ? $many : 0, "$end: all or nothing");
	sql(q{CALL temporal.work('many', 'decide', 'workflow', max_tasks => 4, idle_timeout => '0')}) if $end eq 'COMMIT';
	is(sql(q{SELECT count(*) FROM temporal.pending_timers WHERE workflow_id LIKE 'many%'}), $end eq 'COMMIT' ? 1 : 0,
		"$end: what is older is worked on first");
}
$session->quit;

done_testing();
