# Coxswain. `make help` lists what there is to say. Variables: B (build directory), SAN=1 (ASan+UBSan), TSAN=1, V=1.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

CC := gcc
B ?= build
Q := $(if $(V),,@)

VARIANT := $(if $(SAN),san,$(if $(TSAN),tsan,rel))
O := $(B)/$(VARIANT)
GEN := $(B)/gen

PKGS := libuv openssl libnghttp2 zlib sqlite3 yaml-0.1 libcurl libarchive libmnl libseccomp libcap
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lwslay -lm

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Wno-missing-field-initializers
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
comma := ,
SAN_FLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)$(if $(TSAN),-fsanitize=thread)
OPT := $(if $(SAN)$(TSAN),-O1 -U_FORTIFY_SOURCE,-O2)
CFLAGS = -std=gnu17 -g $(OPT) $(WARN) $(if $(SAN)$(TSAN),-fPIE,$(HARDEN)) $(SAN_FLAGS) -pthread \
	-D_GNU_SOURCE -Isrc -I$(GEN) -I/usr/share/include/llhttp $(PKG_CFLAGS)
LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,-z,pack-relative-relocs,--as-needed,--gc-sections $(SAN_FLAGS)

API := $(wildcard api/*.api)
GEN_SRC := $(if $(API),$(GEN)/types/types.c)
SRC := $(filter-out %_test.c,$(shell find src -name '*.c' | LC_ALL=C sort))
LIB_OBJ := $(patsubst src/%.c,$(O)/%.o,$(filter-out src/cli/main.c,$(SRC))) $(patsubst $(GEN)/%.c,$(O)/gen/%.o,$(GEN_SRC)) \
	$(O)/third/llhttp.o $(O)/third/api.o $(O)/third/http.o
TEST_SRC := $(shell find src tests -name '*_test.c' -not -path '*/fuzz/*' | LC_ALL=C sort)
TEST_BIN := $(patsubst %_test.c,$(O)/t/%_test,$(TEST_SRC))

.PHONY: all cox t unit test test-run apigen-test scripts-test api-test tsan up down lint fmt deps clean help fresh
all: cox
cox: $(if $(wildcard src/cli/main.c),$(B)/cox)

help:
	@echo 'make            build $(B)/cox'
	@echo 'make test       install what is missing, build, run the whole suite'
	@echo 'make t T=store/watch[:case]   run one unit test file (SAN=1, TSAN=1: under sanitizers)'
	@echo 'make unit       run all unit tests (SAN=1, TSAN=1)'
	@echo 'make fuzz       run every fuzz target for FUZZ_SECONDS=30 (FUZZ=json: one)'
	@echo 'make lint       format, layers, headers, banned calls, lengths, words, licences'
	@echo 'make fmt        lay the code out as the lint wants it'
	@echo 'make fresh      both commands of the README in a clean Debian root'
	@echo 'make clean      remove $(B)'

$(B)/cox: $(O)/cox
	$(Q)install -m 755 $< $@
$(O)/cox: $(O)/cli/main.o $(O)/libcox.a
	@echo '  LD    $@'
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

# A file that went must go from the library too.
.PHONY: FORCE
FORCE:
$(O)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(LIB_OBJ)' | cmp -s - $@ || echo '$(LIB_OBJ)' >$@
$(O)/libcox.a: $(LIB_OBJ) $(O)/objects
	$(Q)rm -f $@
	$(Q)ar rcs $@ $(LIB_OBJ)

# Generated headers stand before every object.
GEN_STAMP := $(if $(API),$(GEN)/.stamp)
$(GEN)/.stamp: $(API) $(wildcard scripts/apigen/*.py scripts/apigen/apigen)
	@echo '  GEN   $(GEN)/types'
	$(Q)scripts/apigen/apigen --out $(GEN)/types $(API)
	$(Q)touch $@
$(GEN)/types/types.c: $(GEN)/.stamp ;

$(O)/%.o: src/%.c | $(GEN_STAMP)
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CFLAGS) -ffunction-sections -fdata-sections -MMD -MP -c -o $@ $<
# Texts that become part of the binary.
$(O)/ingress/script.o: src/ingress/ingress.lua
$(O)/apiserver/bootstrap/bootstrap.o: src/apiserver/bootstrap/rbac_defaults.jsonl

$(O)/gen/%.o: $(GEN)/%.c | $(GEN_STAMP)
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CFLAGS) -ffunction-sections -fdata-sections -MMD -MP -c -o $@ $<
$(O)/third/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -g -fPIE -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -c -o $@ $<

$(O)/t/%_test: %_test.c $(O)/libcox.a | $(GEN_STAMP)
	@mkdir -p $(@D)
	@echo '  TEST  $<'
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(O)/libcox.a $(PKG_LIBS) -lcmocka

unit: $(TEST_BIN)
	$(Q)scripts/run-tests --timeout 300 $(TEST_BIN)

# The IDL's parser; with COX_FACTS=folder also a comparison of api/ with upstream's tables.
apigen-test:
	$(Q)scripts/run-tests scripts/apigen/apigen_test.py $(if $(COX_FACTS),scripts/apigen/check_facts.py)

# The suite. deps comes first and alone: on a fresh machine nothing below can even be parsed before it.
export COX_RESULTS ?= $(CURDIR)/$(B)/test/results.txt
test:
	$(Q)scripts/deps build test
	$(Q)mkdir -p $(B)/test && : > $(COX_RESULTS)
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all && $(MAKE) --no-print-directory test-run

# Every group runs, whatever the one before it said; the report decides.
TEST_GROUPS := lint unit apigen-test scripts-test api-test fuzz
test-run:
	$(Q)for g in $(TEST_GROUPS); do echo "--- $$g"; $(MAKE) --no-print-directory -k -j$(shell nproc) $$g || true; done
	$(Q)echo '--- unit under ASan and UBSan'; $(MAKE) --no-print-directory -k -j$(shell nproc) SAN=1 unit || true
	$(Q)echo '--- store, loop and client under TSan'; $(MAKE) --no-print-directory -k -j$(shell nproc) TSAN=1 tsan || true
	$(Q)scripts/test-report $(COX_RESULTS)

# What has threads.
TSAN_BIN := $(filter $(O)/t/src/store/% $(O)/t/src/loop/% $(O)/t/src/env/%,$(TEST_BIN))
tsan: $(TSAN_BIN)
	$(Q)BURSTS=6 scripts/run-tests --timeout 600 $(TSAN_BIN) # fewer power cuts: each reopening is slow under TSan

# The API server without nodes, driven by stock clients.
api-test: all $(B)/tools/kubectl
	$(Q)scripts/run-tests --timeout 600 $(wildcard tests/api/*.bats)

scripts-test:
	$(Q)scripts/run-tests $(wildcard tests/lint/*.bats tests/scripts/*.bats tests/e2e/lib/*.bats)

lint: all
	$(Q)LINT_CFLAGS='$(CFLAGS)' scripts/lint/all
fmt:
	$(Q)scripts/lint/format --fix
# As far as the code goes (docs/road.md): the machine is prepared and looked at, nothing is started yet.
up:
	$(Q)scripts/deps build run
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all
	$(Q)$(B)/cox check
	$(Q)echo 'make up: nodes do not join yet (milestones M3 to M6 in docs/road.md), so FeastFlow cannot be started.' >&2
	$(Q)echo 'What runs today is the control plane: $(B)/cox apiserver --help' >&2
	$(Q)exit 1
down:
	$(Q)echo 'make down: nothing of a cluster is left on this machine'

fresh:
	$(Q)scripts/deps images
	$(Q)scripts/fresh
$(B)/tools/kubectl:
	$(Q)scripts/fetch-kubectl $(B)/tools

# make t T=store/watch:case  or  T=store (a whole directory)
T_FILE = $(firstword $(subst :, ,$(T)))
T_CASE = $(word 2,$(subst :, ,$(T)))
T_BINS = $(filter $(O)/t/src/$(T_FILE)_test $(O)/t/tests/$(T_FILE)_test $(O)/t/src/$(T_FILE)/% $(O)/t/tests/$(T_FILE)/%,$(TEST_BIN))
t: $(T_BINS)
	$(Q)test -n '$(T_BINS)' || { echo "no test called '$(T)'; there are: $(patsubst $(O)/t/%_test,%,$(TEST_BIN))"; exit 1; }
	$(Q)for t in $(T_BINS); do $$t $(T_CASE) || exit 1; done

clean:
	rm -rf $(B)

include $(wildcard mk/*.mk)

-include $(shell find $(O) -name '*.d' 2>/dev/null)
