# Registrations live on: through a dump, when their functions go and come
# back, and while the number of executors changes.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 20
});
$node->start;
my $has_python = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'plpython3u'});

sub sql
{
	my ($query, $database) = @_;

	return $node->safe_psql($database // 'shop', $query);
}

sub until_true
{
	my ($query, $name, $database) = @_;

	ok($node->poll_query_until($database // 'shop', $query), $name);
}

sub executors
{
	my ($count, $name, $database) = @_;

	$database //= 'shop';
	until_true("SELECT count(*) = $count FROM temporal.stat_workers() WHERE kind = 'executor' AND state = 'running' AND database = '$database'", $name, $database);
}

sql('CREATE DATABASE shop', 'postgres');
sql(q{
	CREATE EXTENSION temporal;
	CREATE SCHEMA app;
	CREATE TYPE app.item AS (sku text, n integer);
	CREATE FUNCTION app.twice(item app.item) RETURNS app.item LANGUAGE sql AS $$ SELECT item.sku, item.n * 2 $$;
	CREATE FUNCTION app.twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n';
	CREATE FUNCTION app.order_twice(item app.item, note text DEFAULT 'no note') RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		item := temporal.execute_activity('double it', item, result => item);
		RETURN concat_ws(' ', item.n, item.sku, note, temporal.await_signal('go', result => ''::text), temporal.execute_activity('number', 21));
	END $$;
	CREATE FUNCTION app.in_sql(n integer) RETURNS jsonb LANGUAGE sql AS $$
		SELECT temporal.execute_activity('number', n) || temporal.await_signal('go') || temporal.step('one', 'SELECT 1') $$;
	SELECT temporal.register_workflow('app.order_twice'), temporal.register_workflow('app.in_sql'),
		temporal.register_activity('app.twice(app.item)', 'double it', maximum_attempts => 7, heartbeat_timeout => '5 s'),
		temporal.register_activity('app.twice(integer)', 'number');
});
sql(q{
	CREATE EXTENSION plpython3u;
	CREATE FUNCTION app.in_python(name text) RETURNS text LANGUAGE plpython3u AS $$
plan = plpy.prepare("SELECT temporal.await_signal('go', result => ''::text) AS answer")
return name + ' ' + plpy.execute(plan)[0]['answer']
$$;
	SELECT temporal.register_workflow('app.in_python')}) if $has_python;


sub goes_on
{
	my ($database, $what) = @_;

	for my $id ('order_twice', 'in_sql', $has_python ? 'in_python' : ())
	{
		until_true("SELECT waiting_for = 'signal go' FROM temporal.workflows WHERE workflow_id = '$id'", "$what: $id waits", $database);
		sql("SELECT temporal.signal_workflow('$id', 'go', '\"now\"')", $database);
	}
	is(sql(q{CALL temporal.await_result('order_twice', '30 s')}, $database), '"4 apple no note now 42"', "$what: with rows, defaults, overloaded names");
	is(sql(q{CALL temporal.await_result('in_sql', '30 s')}, $database), '[42, "now", 1]', "$what: in SQL");
	is(sql(q{CALL temporal.await_result('in_python', '30 s')}, $database), '"snake now"', "$what: in Python") if $has_python;
	return;
}

sql(q{SELECT temporal.start_workflow('order_twice', '{"sku": "apple", "n": 2}', 'order_twice'), temporal.start_workflow('in_sql', '21', 'in_sql')});
sql(q{SELECT temporal.start_workflow('in_python', '"snake"', 'in_python')}) if $has_python;
until_true(q{SELECT bool_and(waiting_for = 'signal go') FROM temporal.workflows}, 'all wait');
is(sql(q{SELECT waiting_at FROM temporal.workflows WHERE workflow_id = 'order_twice'}), 'app.order_twice(app.item,text) line 4', 'one sees where');
like(sql(q{SELECT waiting_at FROM temporal.workflows WHERE workflow_id = 'in_python'}), qr/^"in_python", line 3/, 'in Python, too') if $has_python;

note 'a dump';

my $registrations = q{SELECT kind, name, function, task_queue, role_name, transactional, options FROM temporal.registrations ORDER BY 1, 2};
my $before = sql($registrations);
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('shop') ], 'is taken');
sql('CREATE DATABASE copy', 'postgres');
$node->command_ok([ 'psql', '-Xqf', $dump, '-v', 'ON_ERROR_STOP=1', $node->connstr('copy') ], 'and restored');
is(sql($registrations, 'copy'), $before, 'registrations are what they were');
executors(0, 'nothing runs in a copy', 'copy');
sql('SELECT temporal.adopt()', 'copy');
executors(2, 'until it is adopted', 'copy');
goes_on('copy', 'the copy');
goes_on('shop', 'the original');

note 'a function that goes';

sql(q{DROP FUNCTION app.in_sql; SELECT temporal.start_workflow('in_sql', '1', 'orphan')});
until_true(q{SELECT EXISTS (SELECT FROM temporal.history('orphan') WHERE event_type = 'WorkflowTaskFailed'
	AND attributes #>> '{failure,message}' = 'function app.in_sql(integer) does not exist')}, 'its workflow task fails and says why');
until_true(q{SELECT (temporal.describe_workflow('orphan') #>> '{pendingWorkflowTask,attempt}')::integer > 1}, 'and is tried again');
sql(q{CREATE FUNCTION app.in_sql(n integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT temporal.execute_activity('number', n) $$});
is(sql(q{CALL temporal.await_result('orphan', '60 s')}), '2', 'once it is there again the workflow goes on');

note 'how many executors there are';

executors(2, 'two by default');
sql('ALTER SYSTEM SET temporal.executors = 4');
$node->reload;
executors(4, 'more without a restart');
executors(4, 'in each database', 'copy');
sql('ALTER DATABASE shop SET temporal.executors = 1');
$node->reload;
executors(1, 'a database has its own number');
executors(4, 'the other one keeps its', 'copy');
is(sql(q{CALL temporal.execute_workflow('in_sql', '2', timeout => '30 s')}), '4', 'which is enough');
sql('ALTER DATABASE shop RESET temporal.executors; ALTER SYSTEM RESET temporal.executors');
$node->reload;
executors(2, 'two again');
is(sql(q{CALL temporal.execute_workflow('in_sql', '3', timeout => '30 s')}), '6', 'at work');

$node->stop;
done_testing();
