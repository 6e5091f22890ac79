# What goes wrong with a task stays with it: changes of its own workflow, what
# fails at the commit, and what fails in us.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub until_true
{
	my ($query, $name) = @_;

	ok($node->poll_query_until('postgres', $query), $name);
}

sub launch
{
	my ($type, $id, $input) = @_;

	$input = defined $input ? "'$input'" : 'NULL';
	sql("SELECT temporal.start_workflow('$type', $input, workflow_id => '$id')");
}

# Its result, or the SQLSTATE and message of its failure.
sub outcome
{
	my ($id) = @_;
	my ($status, $output, $error) = $node->psql('postgres', "CALL temporal.await_result('$id', '20 s')");

	return $status == 0 ? $output : $error =~ s/^.*?ERROR:\s+//r =~ s/\n.*//sr;
}

sql(q{
	CREATE EXTENSION temporal;
	CREATE SCHEMA app;
	CREATE TABLE app.log (what text);
	CREATE TABLE app.node (id integer PRIMARY KEY, parent integer REFERENCES app.node DEFERRABLE INITIALLY DEFERRED);
	CREATE FUNCTION app.signals() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO app.log VALUES ('signals');
		PERFORM temporal.signal_workflow(temporal.activity_info() ->> 'workflow_id', 'x');
		RETURN 'signalled';
	END $$;
	CREATE FUNCTION app.ends() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		id text := temporal.activity_info() ->> 'workflow_id';
	BEGIN
		INSERT INTO app.log VALUES (id);
		IF id = 'terminate' THEN
			PERFORM temporal.terminate_workflow(id, 'enough');
		ELSIF id = 'delete' THEN
			PERFORM temporal.delete_workflow(id);
		ELSE
			PERFORM temporal.start_workflow('quick', workflow_id => id, id_conflict_policy => 'TerminateExisting');
		END IF;
		RETURN 'ended';
	END $$;
	CREATE FUNCTION app.signalled() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity('signals', result => ''::text);
	END $$;
	CREATE FUNCTION app.ended() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity('ends', result => ''::text, maximum_attempts => 1);
	END $$;
	CREATE FUNCTION app.quick() RETURNS text LANGUAGE sql AS $$ SELECT 'quick' $$;
	CREATE FUNCTION app.step_fails(name text, query text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.step(name, query);
		RETURN name;
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END $$;
	CREATE FUNCTION app.orphan(id integer) RETURNS void LANGUAGE sql AS $$ INSERT INTO app.node VALUES (id, -1) $$;
	CREATE FUNCTION app.commits(kind text) RETURNS jsonb LANGUAGE plpgsql AS $$
	DECLARE
		answer text;
	BEGIN
		PERFORM temporal.step('before', 'INSERT INTO app.log VALUES ($1)', 'before ' || kind);
		IF kind = 'step' THEN
			answer := app.step_fails('orphan', 'INSERT INTO app.node VALUES (1, -1)');
		ELSE
			BEGIN
				PERFORM temporal.execute_local_activity('orphan', 2);
			EXCEPTION WHEN OTHERS THEN
				answer := SQLSTATE || ' ' || SQLERRM;
			END;
		END IF;
		PERFORM temporal.step('after', 'INSERT INTO app.log VALUES ($1)', 'after ' || kind);
		RETURN jsonb_build_array(answer);
	END $$;
	CREATE FUNCTION app.pairs() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.step('child', 'INSERT INTO app.node VALUES (11, 10)');
		PERFORM temporal.step('parent', 'INSERT INTO app.node VALUES (10, NULL)');
		RETURN 'both';
	END $$;
	SELECT temporal.register_workflow('app.' || name) FROM unnest(ARRAY['signalled', 'ended', 'quick', 'commits', 'pairs']) AS name;
	SELECT temporal.register_activity('app.signals'), temporal.register_activity('app.ends', transactional => false),
		temporal.register_activity('app.orphan');
});

note('Activities that change their own workflow.');
launch('signalled', "signal $_") for 1 .. 20;
is(outcome("signal $_"), '"signalled"', "workflow $_ is signalled by its activity") for 1, 20;
is(sql(q{SELECT count(*) FROM app.log}), 20, 'each activity is done once');

launch('ended', $_) for 'terminate', 'restart', 'delete';
is(outcome('terminate'), 'workflow "terminate" was terminated: enough', 'an activity with outside effects terminates its workflow');
is(outcome('restart'), '"quick"', 'or starts it anew');
until_true(q{SELECT NOT EXISTS (SELECT FROM temporal.workflows WHERE workflow_id = 'delete')}, 'or deletes it');
is(sql(q{SELECT string_agg(what, ' ' ORDER BY what) FROM app.log WHERE what <> 'signals'}), 'delete restart terminate', 'and is done once');

note('What fails at the commit.');
my $orphan = 'insert or update on table \"node\" violates foreign key constraint \"node_parent_fkey\"';
launch('pairs', 'pairs');
is(outcome('pairs'), '"both"', 'steps that need each other');
for my $kind ('step', 'local activity')
{
	my $name = 'orphan';

	launch('commits', $kind, "\"$kind\"");
	is(outcome($kind), qq{["TF011 step \\"$name\\" failed: $orphan"]}, "a $kind that fails at the commit is caught");
	is(sql(qq{SELECT string_agg(what, ', ' ORDER BY what) FROM app.log WHERE what LIKE '%$kind'}), "after $kind, before $kind",
		'the steps around it are taken once');
}
is(sql(q{SELECT string_agg(id::text, ',' ORDER BY id) FROM app.node}), '10,11', 'nothing of them stays');

note('What fails in us.');
# An index that takes everything but the end of one type of workflow.
sql(q{
	CREATE FUNCTION app.refuse(events bytea) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
	BEGIN
		IF position('the poison'::bytea IN events) > 0 THEN
			RAISE unique_violation USING MESSAGE = 'an index is broken';
		END IF;
		RETURN true;
	END $$;
	CREATE INDEX broken ON temporal.history (app.refuse(events));
	CREATE FUNCTION app.poisoned() RETURNS text LANGUAGE sql AS $$ SELECT 'the ' || 'poison' $$;
	SELECT temporal.register_workflow('app.poisoned');
});
my $offset = -s $node->logfile;
launch('poisoned', 'poisoned');
launch('quick', "quick $_") for 1 .. 10;
is(outcome("quick $_"), '"quick"', "workflow $_ behind a task that cannot be written") for 1, 10;
until_true(q{SELECT EXISTS (SELECT FROM temporal.history('poisoned') WHERE event_type = 'WorkflowTaskFailed')}, 'its failure is recorded');
my $log = slurp_file($node->logfile, $offset);
my $put_back = () = $log =~ /was put back: an index is broken/g;
# Three times by each of two executors.
cmp_ok($put_back, '<=', 6, 'it is not tried again without pause');
sql(q{DROP INDEX temporal.broken});
is(outcome('poisoned'), '"the poison"', 'it goes on when that is mended');

done_testing();
