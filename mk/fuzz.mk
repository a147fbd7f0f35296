# Fuzzing: tests/fuzz/X_fuzz.c becomes $(B)/fuzz/X_fuzz (libFuzzer, ASan, UBSan), fed from tests/fuzz/corpus/X/.
#   make fuzz [FUZZ_SECONDS=30] [FUZZ=json]     runs all targets (or one) that long, two at a time; a finding fails
# All sources are compiled once more, by clang.

FUZZ_CC := clang-14
FUZZ_SECONDS ?= 30
FUZZ_O := $(B)/fuzz
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_CFLAGS = -std=gnu17 -I/usr/share/include/llhttp -g -O1 -Wall -Wextra -Wno-missing-field-initializers $(FUZZ_SAN) -fsanitize=fuzzer-no-link \
	-D_GNU_SOURCE -Isrc -I$(GEN) $(PKG_CFLAGS)

FUZZ_SRC := $(filter-out src/cli/%,$(SRC))
FUZZ_OBJ := $(FUZZ_SRC:src/%.c=$(FUZZ_O)/o/%.o) $(patsubst $(GEN)/%.c,$(FUZZ_O)/o/gen/%.o,$(GEN_SRC))
FUZZ_ALL := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ ?= $(FUZZ_ALL)

$(FUZZ_O)/o/%.o: src/%.c | $(GEN_STAMP)
	@mkdir -p $(@D)
	@echo '  FUZZ  $<'
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
$(FUZZ_O)/o/gen/%.o: $(GEN)/%.c | $(GEN_STAMP)
	@mkdir -p $(@D)
	@echo '  FUZZ  $<'
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
# llhttp as in the Makefile.
FUZZ_OBJ += $(patsubst %,$(FUZZ_O)/o/third/%.o,llhttp api http)
$(FUZZ_O)/o/third/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -std=gnu17 -g -O1 $(FUZZ_SAN) -fsanitize=fuzzer-no-link -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -c -o $@ $<
$(FUZZ_O)/lib.a: $(FUZZ_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^
$(FUZZ_O)/%_fuzz: tests/fuzz/%_fuzz.c $(FUZZ_O)/lib.a
	@echo '  FUZZ  $<'
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(FUZZ_O)/lib.a $(PKG_LIBS) -lm

# New inputs that reach new code go to $(FUZZ_O)/found/X; what is worth keeping is copied into the corpus by hand.
.PHONY: fuzz $(FUZZ_ALL:%=fuzz-%)
fuzz:
	$(Q)$(MAKE) --no-print-directory -j2 $(FUZZ:%=fuzz-%)
$(FUZZ_ALL:%=fuzz-%): fuzz-%: $(FUZZ_O)/%_fuzz
	@mkdir -p $(FUZZ_O)/found/$* tests/fuzz/corpus/$* $(dir $(COX_RESULTS))
	@echo '  RUN   $* for $(FUZZ_SECONDS) s'
	$(Q)if $< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_O)/$*- $(FUZZ_O)/found/$* tests/fuzz/corpus/$* >$(FUZZ_O)/$*.log 2>&1; then \
		echo 'pass fuzz:$*' >>$(COX_RESULTS); grep -E '^stat::number_of_executed_units' $(FUZZ_O)/$*.log; \
	else \
		echo 'fail fuzz:$*' >>$(COX_RESULTS); tail -60 $(FUZZ_O)/$*.log; exit 1; \
	fi

-include $(shell find $(FUZZ_O) -name '*.d' 2>/dev/null)
