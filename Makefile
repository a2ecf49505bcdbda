# Leadline. The two commands: `make run` and `make test`; `make help` lists all.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

VERSION := 0.1.0
BUILD ?= build
CC := gcc
SAN ?=
PREFIX ?= /usr
comma := ,

# SAN=1 builds the same programs with the sanitizers on; objects are kept apart, programs take each other's place.
MODE := $(if $(SAN),san,plain)
OBJ := $(BUILD)/$(MODE)
BIN := $(BUILD)/bin

LIBS := libzmq msgpack libpq libcurl libcrypto jansson libpcre2-8 libsystemd libmicrohttpd
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
SAN_FLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined,-D_FORTIFY_SOURCE=2)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) -fno-omit-frame-pointer -fstack-protector-strong $(SAN_FLAGS) \
	-D_GNU_SOURCE -DH2O_USE_LIBUV=0 -DLEADLINE_VERSION='"$(VERSION)"' -I. $(PKG_CFLAGS)
# Asked when the first recipe needs them, which is after check-deps, and only once.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(LIBS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(LIBS)))$(PKG_LIBS)
LINK = $(CC) $(LDFLAGS) $(if $(SAN),$(SAN_FLAGS)) -Wl,--as-needed -Wl,-z,relro,-z,now -o $@

DAEMONS := gateway validator router dispatcher
PROGRAMS := $(DAEMONS:%=$(BIN)/leadline-%) $(BIN)/leadctl $(BIN)/leadline-buyer
objects = $(patsubst %.c,$(OBJ)/%.o,$(wildcard $(1)/*.c))

.PHONY: all run test bench layers fuzz install deps help clean check-deps unit

all: check-deps $(PROGRAMS)

help:
	@echo 'make run      set up what is missing and run everything; Ctrl-C ends it'
	@echo 'make test     set up what is missing and pass every test'
	@echo 'make          build (SAN=1: with sanitizers);  make install DESTDIR=  install with systemd units'
	@echo 'make bench    measure;  make fuzz  fuzz every parser for a while;  make layers  check who includes whom'
	@echo 'make deps     install the Debian packages that are needed;  make clean'

# What is missing ----------------------------------------------------------------------------------------------------

deps:
	@tests/lib/deps.sh

check-deps:
	@tests/lib/deps.sh --missing-only

# Objects, archives, programs ----------------------------------------------------------------------------------------

$(OBJ)/%.o: %.c | check-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

# Files that programs carry with them: the migrations, the schema of the configuration, the API's description.
EMBEDDED := $(sort $(wildcard proto/sql/*.sql)) proto/config.schema.json proto/openapi.yaml leadctl/demo.json
$(OBJ)/proto/embed.o: proto/embed.c $(EMBEDDED) $(OBJ)/proto/embed_list.inc
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I$(OBJ)/proto -MMD -MP -c -o $@ $<
$(OBJ)/proto/embed_list.inc: $(EMBEDDED)
	@mkdir -p $(@D)
	printf 'EMBED("%s")\n' $(EMBEDDED) > $@

$(OBJ)/common.a: $(call objects,common)
$(OBJ)/proto.a: $(call objects,proto)
define daemon
$(OBJ)/$(1).a: $(filter-out $(OBJ)/$(1)/main.o,$(call objects,$(1)))
endef
$(foreach d,$(DAEMONS) leadctl,$(eval $(call daemon,$(d))))
ARCHIVES := $(OBJ)/leadctl.a $(DAEMONS:%=$(OBJ)/%.a) $(OBJ)/proto.a $(OBJ)/common.a
$(ARCHIVES):
	@rm -f $@
	ar rcs $@ $(filter %.o,$^)

# Programs of both modes share build/bin: the stamp says whose they are.
$(BUILD)/mode-$(MODE):
	@mkdir -p $(BIN)
	@rm -f $(BUILD)/mode-*
	@touch $@

$(DAEMONS:%=$(BIN)/leadline-%): $(BIN)/leadline-%: $(OBJ)/%/main.o $(OBJ)/%.a $(OBJ)/proto.a $(OBJ)/common.a $(BUILD)/mode-$(MODE)
	$(LINK) $(filter %.o %.a,$^) $(if $(filter gateway,$*),-lh2o-evloop -lssl -lcrypto -lz) $(PKG_LIBS) -lm
# With the pure files of daemons that tests/lib/layers.sh lets it know.
$(BIN)/leadctl: $(OBJ)/leadctl/main.o $(OBJ)/leadctl.a $(DAEMONS:%=$(OBJ)/%.a) $(OBJ)/proto.a $(OBJ)/common.a $(BUILD)/mode-$(MODE)
	$(LINK) $(filter %.o %.a,$^) $(PKG_LIBS) -lm
$(BIN)/leadline-buyer: $(call objects,tests/buyer) $(OBJ)/common.a $(BUILD)/mode-$(MODE)
	$(LINK) $(filter %.o %.a,$^) -lh2o-evloop -lssl -lcrypto -lz $(PKG_LIBS) -lm

# Run and test -------------------------------------------------------------------------------------------------------

run: all
	@exec $(BIN)/leadctl dev --dir .leadline --port $${PORT:-8080} $(RUN_ARGS)

UNIT := $(patsubst tests/unit/%.c,$(OBJ)/unit/%,$(wildcard tests/unit/test_*.c))
$(OBJ)/unit/%: $(OBJ)/tests/unit/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) $(filter %.o,$^) $(ARCHIVES) $(OBJ)/proto.a $(OBJ)/common.a -lcmocka -lh2o-evloop -lssl -lcrypto -lz $(PKG_LIBS) -lm

# Kept: make would remove them when all is over, and its last lines would be about that.
.SECONDARY: $(UNIT:$(OBJ)/unit/%=$(OBJ)/tests/unit/%.o)

unit: check-deps $(UNIT)

test: all unit layers
	@tests/lib/run_tests.sh $(OBJ)/unit

layers:
	@tests/lib/layers.sh

# Each file of tests/bench is a program that the bench runs.
BENCH := $(patsubst tests/bench/%.c,$(OBJ)/bench/%,$(wildcard tests/bench/*.c))
$(OBJ)/bench/%: $(OBJ)/tests/bench/%.o $(OBJ)/proto.a $(OBJ)/common.a
	@mkdir -p $(@D)
	$(LINK) $(filter %.o %.a,$^) $(PKG_LIBS) -lm

bench: all $(BENCH)
	@tests/bench/run.sh $(BIN) $(OBJ)/bench

fuzz: check-deps
	@tests/fuzz/run.sh

# Install ------------------------------------------------------------------------------------------------------------

UNITS := $(wildcard systemd/*.target systemd/*.service systemd/*.socket)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)/etc/leadline
	install -m 755 $(DAEMONS:%=$(BIN)/leadline-%) $(BIN)/leadctl $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(UNITS) $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed -i 's|^ExecStart=/usr/bin/|ExecStart=$(PREFIX)/bin/|' $(UNITS:systemd/%=$(DESTDIR)$(PREFIX)/lib/systemd/system/%)
	install -m 644 systemd/leadline.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/leadline.conf
	for f in systemd/*.env; do test -e $(DESTDIR)/etc/leadline/$${f##*/} || install -m 640 $$f $(DESTDIR)/etc/leadline/; done

clean:
	rm -rf $(BUILD)
