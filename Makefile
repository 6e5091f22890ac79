EXTENSION   = temporal
EXTVERSION  = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" temporal.control)
MODULE_big  = temporal

PROTO       = $(wildcard src/proto/*.proto)
PROTO_C     = $(PROTO:.proto=.pb-c.c)
PROTO_H     = $(PROTO:.proto=.pb-c.h)
SOURCES     = $(filter-out %.pb-c.c,$(wildcard src/*/*.c)) src/temporal.c
OBJS        = $(SOURCES:.c=.o) $(PROTO_C:.c=.o)

# A field of the API is named linux, which gcc defines as a macro.
PG_CPPFLAGS = -DTEMPORAL_VERSION='"$(EXTVERSION)"' -I$(srcdir)/src -Ulinux
PG_CFLAGS   = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
              -Wno-missing-field-initializers -Wno-declaration-after-statement
SHLIB_LINK  = -lnghttp2 -lprotobuf-c -lz -lssl -lcrypto \
              -Wl,--version-script=$(srcdir)/src/temporal.map

SQL_PARTS   = $(sort $(wildcard sql/parts/*.sql))
DATA        = $(wildcard sql/temporal--*--*.sql)
DATA_built  = sql/temporal--$(EXTVERSION).sql

# Tests that look inside need an extension of test/modules.  Only script/test
# installs those.
INSTALLED      = $(wildcard $(shell $(PG_CONFIG) --sharedir)/extension/*_test.control)
MISSING        = $(filter-out $(basename $(notdir $(INSTALLED))),$(notdir $(wildcard test/modules/*)))
INSIDE         = $(if $(MISSING),$(shell grep -ls $(MISSING:%=-e 'EXTENSION %') test/sql/* test/t/*))

# In the server that is running; with INSTANCE, in one of their own.
REGRESS        = $(patsubst test/sql/%.sql,%,$(filter-out $(INSIDE),$(sort $(wildcard test/sql/*.sql))))
REGRESS_PREP   = check-layers tmp_check
REGRESS_OPTS   = --inputdir=test --encoding=UTF8 --load-extension=temporal $(INSTANCE)
ISOLATION      = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = $(REGRESS_OPTS) --outputdir=.
TAP_TESTS      = 1
PROVE_TESTS    = $(filter-out $(INSIDE),$(sort $(wildcard test/t/*.pl)))
EXTRA_CLEAN    = $(PROTO_C) $(PROTO_H) $(DATA_built) tmp_check output_iso results \
                 log regression.out regression.diffs

PG_CONFIG  ?= pg_config
PGXS       := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
# These install it themselves.
ifeq ($(PGXS)$(filter test fuzz demo demo-stop,$(MAKECMDGOALS)),)
$(error $(PG_CONFIG) is missing: run script/setup)
endif
include $(PGXS)

# The folder stands for parts that were deleted.
sql/temporal--$(EXTVERSION).sql: $(SQL_PARTS) sql/parts
	cat $(SQL_PARTS) > $@

# Every object may include a generated header, so all wait for all of them.
$(OBJS) $(OBJS:.o=.bc): $(PROTO_H)
%.pb-c.c %.pb-c.h: %.proto
	protoc --proto_path=$(srcdir)/src/proto --proto_path=/usr/include --c_out=$(srcdir)/src/proto $<

# Rebuild what a changed header of ours touches.
DEPFLAGS = -MMD -MP
override CFLAGS += $(DEPFLAGS)
-include $(OBJS:.o=.d)
EXTRA_CLEAN += $(OBJS:.o=.d)

# PostgreSQL's test library removes LC_ALL, then LANG decides on the encoding.
installcheck: export LANG = C.UTF-8

# pg_regress makes the folder of its instance, but not those above it.
tmp_check:
	mkdir -p $@

.PHONY: check-layers test soak fuzz bench bench-peers demo demo-stop
check-layers:
	sh test/layers.sh

# Everything, in a private copy of this tree and of PostgreSQL.
test:
	script/test

# Kills processes of a server while workflows go on, then loads it for half an hour.
soak:
	script/soak
	TEMPORAL_SOAK=1 script/test --only tap '0[467][0125]*'

# FUZZ_SECONDS=number: for each fuzzer
fuzz:
	FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) script/test --with asan --only fuzz

# A table of figures; see bench/run --quick and its other options.
bench:
	bench/run

# The same loads on other systems and on this one; see bench/peers --quick.
bench-peers:
	bench/peers

# PORT=number: another port than 15432; GRPC_PORT: another than 7233
demo:
	script/demo $(if $(PORT),--port $(PORT)) $(if $(GRPC_PORT),--grpc-port $(GRPC_PORT))

demo-stop:
	script/demo stop
