# script/demo with few orders: it ends well, can be looked into, and leaves
# nothing behind.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

my $script = "$FindBin::RealBin/../../script";
my $folder = PostgreSQL::Test::Utils::tempdir_short();
chomp($ENV{PG_CONFIG} = `which pg_config`);

sub demo
{
	my @command = ("$script/demo", @_, '--dir', "$folder/demo");
	my $status = IPC::Run::run(\@command, '<', \undef, '>', \my $output, '2>', \my $error,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));

	note $output, $error;
	return ($status, $output, $error);
}

sub ask
{
	my ($query) = @_;
	my ($answer) = run_command([ "$script/cluster", 'psql', "$folder/demo/cluster", '-XAtc', $query ]);

	return $answer;
}

END
{
	my $status = $?;

	system_log("$script/demo", 'stop', '--dir', "$folder/demo") if -e "$folder/demo";
	$? = $status;
}

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "no port: $!";
my ($status, $output, $error) = demo('--installed', '--grpc-port', 'none', '--port', $listener->sockport);
ok(!$status, 'a port in use ends it');
like($error, qr/port \d+ on 127\.0\.0\.1 is in use/, 'and is named');
ok(!-e "$folder/demo", 'before anything is made');
($status, $output, $error) = demo('--installed', '--port', 'none', '--grpc-port', 'none', '--orders', 0);
like($error, qr/there are \d+ orders/, 'one order at least');

my $grpc_port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
($status, $output, $error) = demo('--installed', '--port', 'none', '--orders', 200, '--grpc-port', $grpc_port);
ok($status, 'it ends well');
like($output, qr/127\.0\.0\.1:$grpc_port/, 'and says where SDKs connect');
ok(IO::Socket::INET->new(PeerAddr => "127.0.0.1:$grpc_port"), 'which is true');
like($output, qr/starts 20 workflows, and is rolled back: 0 workflows/, 'a rollback starts nothing');
like($output, qr/kill -9 of an executor.*work goes on, [\d.]+ s after.*kill -9 of the server.*work goes on, [\d.]+ s after/s,
	'an executor and the server were killed');
like($output, qr/attempt 3, after: the bank of card 0119 does not answer/, 'an order has failed twice');
like($output, qr/^ *Ada *\| confirmed *\| welcome, first steps$/m, 'a customer who confirms gets no reminder');
like($output, qr/^ *Alan *\| given up *\| welcome, reminder$/m, 'one who does not is given up');
is( ask('SELECT count(*), count(*) FILTER (WHERE runs = 1 AND charges <= 1 AND shipments <= 1) FROM shop.outcome'),
	'200|200', 'each order has one workflow, one charge and one shipment at most');
is( ask(q{SELECT count(*) FROM shop.outcome WHERE (result, charges, paid, shipments) NOT IN
		(('shipped', 1, amount, 1), ('refunded', 1, 0, 0), ('declined', 0, 0, 0))}),
	'0', 'each order was paid for and shipped, or neither');
is(ask('SELECT count(*) > 0 FROM shop.orders WHERE approved_by IS NOT NULL'), 't', 'some were approved');
is(ask(q{SELECT sum(balance), count(*) FILTER (WHERE balance < 0) FROM bank.account}), '1000|0', 'no money was made');
is(ask('SELECT count(*) FROM bank.entry GROUP BY transfer, account, amount HAVING count(*) > 1'), '', 'nor booked twice');
is(ask(q{SELECT count(DISTINCT workflow_id) FROM temporal.workflows w JOIN bank.entry e ON transfer = workflow_id
		WHERE temporal.workflow_result(workflow_id) = '"done"'}),
	ask(q{SELECT count(*) FROM temporal.workflows WHERE workflow_type = 'transfer' AND temporal.workflow_result(workflow_id) = '"done"'}),
	'nor forgotten');
is(ask('SELECT count(*), count(DISTINCT shelf) FROM stocktaking.counted'), '100|100', 'each shelf was counted once');
SKIP: {
	skip 'PL/Python is not installed', 2 unless ask(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'plpython3u'});
	is(ask(q{SELECT count(*), count(DISTINCT ticket_id) FROM agent.refund}), '5|5', 'each agent has paid once');
	like($output, qr/The model has counted \d+ requests: \d+ answered, [1-9]\d* told to come back later, [1-9]/, 'what they asked was not easy');
}
is(ask('SELECT count(*) FROM temporal.status()'), '0', 'no problems');
($status, $output, $error) = demo('--installed', '--port', 'none', '--grpc-port', 'none');
like($error, qr/the demo is there already/, 'there is one at a time');

my $model = -e "$folder/demo/model.pid" ? slurp_file("$folder/demo/model.pid") : '';
($status) = demo('stop');
ok($status, 'it can be stopped');
SKIP: {
	skip 'PL/Python is not installed', 1 unless $model;
	chomp $model;
	for (1 .. $PostgreSQL::Test::Utils::timeout_default * 10)
	{
		last unless `ps -o args= -p $model` =~ /model\.py/;
		select(undef, undef, undef, 0.1);
	}
	unlike(`ps -o args= -p $model`, qr/model\.py/, 'with the model');
}
ok(!-e "$folder/demo", 'and is gone');

done_testing();
