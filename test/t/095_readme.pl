# The SQL of the README does what the README says.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

require "$FindBin::RealBin/include/kill.pl";

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'\nfsync = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION temporal');

my $readme = slurp_file('README.md');
my @blocks = $readme =~ /^```sql\n(.*?)^```/gms;
cmp_ok(scalar @blocks, '>=', 2, 'README shows SQL');

my $output = $node->safe_psql('postgres', join("\n", @blocks));
like($output, qr/^order-42$/m, 'the workflow is started');
like($output, qr/^"receipt 42"$/m, 'its result is awaited');
like($output, qr/^\d+\|ActivityTaskStarted\|2$/m, 'the history shows the second attempt');
is($node->safe_psql('postgres', 'SELECT order_id, amount FROM payment'),
	'42|9.99', 'one payment');

note 'the server is killed where the README says so';

my ($kill) = $readme =~ /^```sh\n([^`]*pkill[^`]*)^```/m or die 'README does not say how to kill the server';
my ($before, $after) = map { join(";\n", /-c "(.*?)"/g) } split /^.*pkill.*\n/m, $kill;
$node->safe_psql('postgres', $before);
kill_server($node);
$node->start;
like($node->safe_psql('postgres', $after), qr/^"receipt 43"$/m, 'its workflow goes on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM payment WHERE order_id = 43'), '1', 'and the card is charged once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM temporal.status()'), '0', 'no problems');

$node->stop;
done_testing();
