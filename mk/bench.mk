# Benchmarks: tests/bench/X_bench.c becomes $(O)/bench/X_bench; `make bench` runs them all. They print figures and check nothing.
BENCH_BIN := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*_bench.c))

$(O)/bench/%: tests/bench/%.c $(O)/libcox.a | $(GEN_STAMP)
	@mkdir -p $(@D)
	@echo '  BENCH $<'
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(O)/libcox.a $(PKG_LIBS)

.PHONY: bench
bench: $(BENCH_BIN)
	$(Q)for b in $(BENCH_BIN); do $$b || exit 1; done
