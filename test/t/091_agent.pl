# examples/agent: what a model has answered is never asked for again, however
# often the server is killed.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use JSON::PP;
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

require "$FindBin::RealBin/include/kill.pl";

my $examples = "$FindBin::RealBin/../../examples/agent";
my $agents = 6;

my $node = PostgreSQL::Test::Cluster->new('agent');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
temporal.check_state = on
temporal.executors = 3
max_worker_processes = 16
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

plan skip_all => 'PL/Python is not installed'
  unless sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'plpython3u'}) && system('command -v python3 >/dev/null') == 0;

# The model outlives the server, and so does its log.
my $log = PostgreSQL::Test::Utils::tempdir() . '/model.log';
my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
my $model = IPC::Run::start([ 'python3', "$examples/model.py", '--port', $port, '--log', $log ], '<', \undef);
END { my $status = $?; $model->kill_kill if $model; $? = $status }
for (1 .. $PostgreSQL::Test::Utils::timeout_default * 10)
{
	last if IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
	select(undef, undef, undef, 0.1);
}

sub requests
{
	return map { decode_json($_) } split /\n/, slurp_file($log);
}

my $answers = q{
	SELECT w.workflow_id, i.key, a.n FROM temporal.workflows w
	CROSS JOIN LATERAL (SELECT w.run_id || '/' || (attributes ->> 'activityId') AS key, event_id
		FROM temporal.history(w.workflow_id) WHERE attributes #>> '{activityType,name}' = 'ask_model') i
	CROSS JOIN LATERAL (SELECT temporal.decode_payloads(attributes -> 'result') ->> 'request' AS n
		FROM temporal.history(w.workflow_id) WHERE event_type = 'ActivityTaskCompleted'
		AND attributes ->> 'scheduledEventId' = i.event_id::text) a
	WHERE w.workflow_type = 'agent'};

sub answered
{
	return sql("SELECT count(*) FROM ($answers) a");
}

# Waits until so many answers are in the history, and pulls the plug.
sub kill_after
{
	my ($count) = @_;

	$node->poll_query_until('postgres', "SELECT count(*) >= $count FROM ($answers) a") or die 'the agents are stuck';
	my $before = answered();
	kill_server($node);
	$node->start;
	cmp_ok(answered(), '>=', $before, "no answer of $before is lost by a kill");
}

sql("CREATE EXTENSION temporal;\n\\i $examples/agent.sql");
sql("UPDATE agent.model SET port = $port");
sql("INSERT INTO agent.ticket SELECT n, 'The teapot of order ' || n || ' has no lid.' FROM generate_series(1, $agents) n");
kill_after($_) for 1, 5, 9, 13;
ok($node->poll_query_until('postgres', "SELECT count(*) = $agents FROM agent.to_approve"), 'all agents ask for an approval');
is(sql('SELECT count(*) FROM agent.refund'), '0', 'and pay nothing without');
sql('SELECT agent.decide(ticket_id, ticket_id > 1) FROM agent.to_approve');
kill_after(3 * $agents + 1);
ok($node->poll_query_until('postgres', q{SELECT bool_and(status = 'Completed') FROM temporal.workflows WHERE workflow_type = 'agent'}),
	'all come to an end');

is(sql(q{SELECT count(*) FROM temporal.workflows WHERE workflow_type = 'agent' AND temporal.workflow_result(workflow_id) #>> '{}' LIKE '%The refund was paid.'}),
	$agents - 1, 'those that were allowed to pay have paid');
is(sql('SELECT count(*) FROM agent.refund r FULL JOIN agent.proposal p USING (ticket_id, amount) WHERE (r.ticket_id IS NOT NULL) <> p.approved'),
	'0', 'once, and what was approved');
is(sql('SELECT count(*) FROM agent.refund'), $agents - 1, 'no more');

my %last;
my %answered;
my %busy;
my @early;
for my $request (requests())
{
	my $key = $request->{key};

	$last{$key} = $request->{request};
	$answered{ $request->{request} } = $key if $request->{outcome} eq 'answered';
	push @early, $request if exists $busy{$key} && $request->{time} - $busy{$key} < 1.5;
	delete $busy{$key};
	$busy{$key} = $request->{time} if $request->{outcome} eq 'busy';
}
my @recorded = map { [ split /\|/ ] } split /\n/, sql($answers);
is(scalar @recorded, 4 * $agents, 'each agent has asked four times');
is_deeply([ sort keys %last ], [ sort map { $_->[1] } @recorded ], 'and the model was asked nothing else');
is_deeply([ grep { ($answered{ $_->[2] } // '') ne $_->[1] } @recorded ], [], 'each answer in a history was given by the model');
is_deeply([ grep { $last{ $_->[1] } != $_->[2] } @recorded ], [], 'and nobody has asked for it again');
is_deeply(\@early, [], 'who was told to come back later has waited as long as the model said');
cmp_ok(scalar(grep { $_->{outcome} ne 'answered' } requests()), '>=', 2 * $agents / 3, 'it was busy, or hung, often enough');
like(sql(q{SELECT string_agg(DISTINCT attributes #>> '{lastFailure,message}', '; ') FROM temporal.workflows w, temporal.history(w.workflow_id) h
		WHERE event_type = 'ActivityTaskStarted'}), qr/the model is busy/, 'a history says so');
is(sql(q{SELECT count(*) FROM temporal.workflows WHERE workflow_type = 'agent' AND temporal.replay('agent.answer', workflow_id) IS NOT NULL}),
	'0', 'each history can be played again');
is(scalar requests(), max(values %last), 'without the model');
is(sql('SELECT * FROM temporal.status()'), '', 'no problems');

$node->stop;
done_testing();
