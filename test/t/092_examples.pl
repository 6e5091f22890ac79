# The examples can be tried by hand as the top of each file says.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $examples = "$FindBin::RealBin/../../examples";
my %expected = (
	payment => qr/^"shipped"\n.*\|WorkflowExecutionCompleted\|/ms,
	onboarding => qr/^onboarding-ada\@example.com\|.*\|Running\|/m,
	transfer => qr/^"done"\n\S+\|ada\|-11\n\S+\|fees\|1\n\S+\|bob\|10$/m,
	fanout => qr/^4390\n\S+\|100\|4390$/m);

my $node = PostgreSQL::Test::Cluster->new('examples');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'\nfsync = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION temporal');

for my $name (sort keys %expected)
{
	my ($load, @lines) = slurp_file("$examples/$name.sql") =~ /^--     (.*)/gm;
	my ($status, $output, $error) = $node->psql('postgres', join("\n", "\\i $examples/$name.sql", @lines), on_error_stop => 1);

	is($load, "psql -f examples/$name.sql", "$name says how it is loaded");
	is($status, 0, 'and how it is tried') or diag($error);
	is($error, '', 'without a warning');
	like($output, $expected{$name}, 'which works');
}
is($node->safe_psql('postgres', 'SELECT * FROM temporal.status()'), '', 'no problems');

$node->stop;
done_testing();
