# mst: ANN-to-SNN conversion, execution and error analysis in C.
# One Makefile, no recursion. `make help` lists the targets.

VERSION := 0.1.0
MODE    ?= release
CC      ?= cc
PREFIX  ?= /usr/local
PYTHON  ?= python3
B       := build/$(MODE)$(if $(findstring clang,$(CC)),-clang)
GEN     := build/gen
VENV    := build/venv

OPT_release := -O3 -g
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
ifeq ($(OPT_$(MODE)),)
$(error MODE=$(MODE) is not one of release, debug, asan, fuzz, tsan)
endif

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wwrite-strings -Wvla -Wundef -Wno-sign-conversion
INC  := -Iruntime/include -Iruntime/data/include -Iconverter/include -Icalibrate/include -I. -I$(GEN)
DEPS_PC := libprotobuf-c gsl yaml-0.1 jansson zlib matio libjpeg libpng libzip
PC_CFLAGS = $(shell pkg-config --cflags $(DEPS_PC) 2>/dev/null)
# One order of float operations on every machine: no contraction, no -march=native, no -Ofast.
CFLAGS  ?= $(OPT_$(MODE))
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DMST_VERSION='"$(VERSION)"' $(CFLAGS) -ffp-contract=off -fPIC \
             -fvisibility=hidden -pthread $(WARN) $(INC) -MMD -MP

src = $(sort $(foreach d,$(1),$(wildcard $(d)/*.c)))
obj = $(patsubst %.c,$(B)/%.o,$(1))

RUNTIME_SRC := $(call src,runtime/core runtime/ir runtime/format runtime/kernels runtime/exec runtime/block)
DATA_SRC    := $(call src,runtime/data runtime/data/events)
CONV_SRC    := $(call src,converter/onnx converter/lower converter/passes converter)
CALIB_SRC   := $(call src,calibrate)
TOOLS_LIB   := $(filter-out $(wildcard tools/mst*.c),$(call src,tools))
TOOLS       := mstconv mstrun mstcalib
GEN_SRC     := $(GEN)/onnx.pb-c.c

LIBMST   := $(B)/libmst.a
LIBMSTSO := $(B)/libmst.so
LIBDATA  := $(B)/libmstdata.a
LIBCONV  := $(B)/libmstconv.a
LIBCALIB := $(B)/libmstcalib.a
LIBTOOLS := $(B)/libmsttools.a
# order: users before what they use
LIBS     := $(LIBTOOLS) $(LIBCALIB) $(LIBCONV) $(LIBDATA) $(LIBMST)
LDLIBS   := -lprotobuf-c -lmd -lyaml -ljansson -lgsl -lgslcblas -lmatio -ljpeg -lpng -lzip -lz -lm -pthread

UNIT_SRC  := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BIN  := $(patsubst %.c,$(B)/%,$(UNIT_SRC))
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN  := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))
SUPPORT   := $(call src,tests/support)
KIT_SRC   := $(call src,tests/tools)
KIT_BIN   := $(patsubst %.c,$(B)/%,$(KIT_SRC))

.PHONY: all
all: $(addprefix $(B)/,$(TOOLS)) $(LIBMSTSO) ## build the tools and libraries (MODE=release|debug|asan|tsan)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

# ---- generated: the ONNX schema of the distribution, through protoc-c ----
ONNX_PROTO ?= $(firstword $(wildcard /usr/include/onnx/onnx.proto /usr/local/include/onnx/onnx.proto))
$(GEN)/onnx.pb-c.c $(GEN)/onnx.pb-c.h &: $(ONNX_PROTO)
	@test -n "$(ONNX_PROTO)" || { echo "onnx.proto not found: run 'make deps' (package libonnx-dev)"; exit 1; }
	@mkdir -p $(GEN)
	protoc-c --c_out=$(GEN) --proto_path=$(dir $(ONNX_PROTO)) $(ONNX_PROTO)
$(B)/gen/onnx.pb-c.o: $(GEN_SRC)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CFLAGS) -fPIC -fvisibility=hidden -w -I$(GEN) -MMD -MP -c -o $@ $<
$(call obj,$(call src,converter/onnx)): | $(GEN)/onnx.pb-c.h

# ---- objects; instruction set flags only on the files of that set ----
$(B)/runtime/kernels/%_avx2.o: ISA_FLAGS := -mavx2
$(B)/runtime/kernels/%_avxvnni.o: ISA_FLAGS := -mavx2 -mavxvnni
$(B)/runtime/kernels/%_vnni.o: ISA_FLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mprefer-vector-width=512
$(B)/runtime/kernels/%_avx512.o: ISA_FLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PC_CFLAGS) $(ISA_FLAGS) -c -o $@ $<

$(LIBMST):   $(call obj,$(RUNTIME_SRC))
$(LIBDATA):  $(call obj,$(DATA_SRC))
$(LIBCONV):  $(call obj,$(CONV_SRC)) $(B)/gen/onnx.pb-c.o
$(LIBCALIB): $(call obj,$(CALIB_SRC))
$(LIBTOOLS): $(call obj,$(TOOLS_LIB))
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(LIBMSTSO): $(call obj,$(RUNTIME_SRC))
	$(CC) $(CFLAGS) -shared -Wl,-soname,libmst.so.0 -o $@ $^ -lm -pthread

$(addprefix $(B)/,$(TOOLS)): $(B)/%: $(B)/tools/%.o $(LIBS)
	$(CC) $(CFLAGS) -o $@ $< $(LIBS) $(LDLIBS)

# ---- tests ----
$(UNIT_BIN): $(B)/%: $(B)/%.o $(call obj,$(SUPPORT)) $(LIBS)
	$(CC) $(CFLAGS) -o $@ $< $(call obj,$(SUPPORT)) $(LIBS) $(LDLIBS) $(shell pkg-config --libs check 2>/dev/null)
# small programs that the Python tests drive
$(KIT_BIN): $(B)/%: $(B)/%.o $(call obj,$(SUPPORT)) $(LIBS)
	$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)
# a fuzz target with a main that replays files; `make fuzz` links libFuzzer instead
$(FUZZ_BIN): $(B)/%: $(B)/%.o $(B)/tests/fuzz/replay_main.o $(call obj,$(SUPPORT)) $(LIBS)
	$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the C unit tests of this MODE
	@for t in $(UNIT_BIN); do echo "== $$t"; MST_FIXTURES=tests $$t || exit 1; done

.PHONY: replay
replay: $(FUZZ_BIN) ## run every fuzz target once over its corpus and the golden bad files
	@for t in $(FUZZ_BIN); do \
	  n=$$(basename $$t); echo "== $$n"; $$t $$(find tests/fuzz/corpus/$${n#fuzz_} tests/golden -type f) || exit 1; done

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZ_SECONDS (needs clang): make fuzz FUZZ_SECONDS=300
	$(MAKE) CC=clang MODE=fuzz B=build/fuzz fuzz-run
.PHONY: fuzz-run
fuzz-run: $(FUZZ_SRC:%.c=$(B)/%.libfuzzer)
	@for t in $^; do n=$$(basename $$t .libfuzzer); mkdir -p build/corpus/$$n; \
	  $$t -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=20 build/corpus/$$n tests/fuzz/corpus/$${n#fuzz_} || exit 1; done
$(B)/%.libfuzzer: $(B)/%.o $(call obj,$(SUPPORT)) $(LIBS)
	$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
FUZZ_SECONDS ?= 60

# the oracles: ONNX, ONNX Runtime, NumPy
$(VENV)/ok: tests/requirements.txt
	@rm -rf $(VENV); $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q -r $< && touch $@ || \
	  { rm -rf $(VENV); echo "make: could not install tests/requirements.txt into $(VENV)" >&2; \
	    test "$(CI)" != true; }
.PHONY: pytest
pytest: all $(KIT_BIN) $(VENV)/ok ## test the tools against the oracles (ONNX Runtime, NumPy simulator)
	@if [ -e $(VENV)/ok ]; then MST_BUILD=$(B) $(VENV)/bin/python -m pytest -q -rs tests/python $(PYTEST_ARGS); \
	else echo "SKIP: Python tests: the packages of tests/requirements.txt could not be installed"; fi

.PHONY: check
check: deps ## build and pass every test: what CI runs
	$(MAKE) lint
	$(MAKE) -j2 MODE=release all bench-build unit
	$(MAKE) -j2 MODE=asan unit replay
	@if command -v clang >/dev/null; then $(MAKE) -j2 MODE=asan CC=clang unit replay; \
	else echo "SKIP: clang is not installed"; fi
	$(MAKE) -j2 MODE=tsan unit-threads
	$(MAKE) -j2 MODE=release pytest

.PHONY: unit-threads
unit-threads: $(filter %/test_threads %/test_session %/test_block_schedule,$(UNIT_BIN)) ## the tests that use threads (MODE=tsan)
	@for t in $(filter-out %/test_block_schedule,$^); do echo "== $$t"; $$t || exit 1; done
	CK_RUN_CASE=threads $(filter %/test_block_schedule,$^)

.PHONY: lint
lint: ## check include edges, file sizes and names
	@sh tests/lint.sh

# ---- measured against PyTorch, SpikingJelly and ONNX Runtime (bench/README.md); never part of the tests ----
BENCH      ?= full
BENCH_VENV ?= build/bench-venv
BENCH_BIN  := $(patsubst %.c,$(B)/%,$(sort $(wildcard bench/*.c)))
$(filter-out %/bench_readers,$(BENCH_BIN)): $(B)/%: $(B)/%.o $(LIBMST)
	$(CC) $(CFLAGS) -o $@ $< $(LIBMST) -lm -pthread
$(B)/bench/bench_readers: $(B)/bench/bench_readers.o $(LIBDATA) $(LIBMST)
	$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)
build/bench-venv/ok: bench/requirements.txt bench/venv.sh
	@sh bench/venv.sh $(PYTHON) build/bench-venv bench/requirements.txt
.PHONY: bench-build
bench-build: $(BENCH_BIN)
.PHONY: bench
bench: all $(BENCH_BIN) $(filter build/bench-venv/ok,$(BENCH_VENV)/ok) ## measure against peers; BENCH=quick, BENCH_ARGS="--models swin-cifar"
	@$(PYTHON) bench/bench.py --build $(B) --out build/bench --python $(BENCH_VENV)/bin/python \
	  --missing $(BENCH_VENV)/missing.txt --mode $(BENCH) --cc $(CC) $(BENCH_ARGS)

# ---- for users ----
.PHONY: deps
deps: ## install what is missing through the system's package manager
	@sh third_party/deps.sh

.PHONY: demo
demo: deps ## build, convert the bundled digits model, run and validate it
	@$(MAKE) --no-print-directory all
	@sh examples/demo.sh $(B)

# CIFAR10 is the folder of the official binary files. numpy and matplotlib come from PYTHON where it has
# them, otherwise into a virtual environment of their own.
REPRODUCE_VENV := build/reproduce-venv
REPRODUCE_ARGS ?=
.PHONY: reproduce
reproduce: all ## the paper's tables and figures from the committed models: make reproduce CIFAR10=cifar-10-batches-bin
	@test -n "$(CIFAR10)" || { echo "make: reproduce needs CIFAR10=FOLDER (of test_batch.bin)" >&2; exit 1; }
	@python=$(PYTHON); $$python -c 'import numpy, matplotlib' 2>/dev/null || { python=$(REPRODUCE_VENV)/bin/python; \
	  test -e $(REPRODUCE_VENV)/ok || { rm -rf $(REPRODUCE_VENV); $(PYTHON) -m venv $(REPRODUCE_VENV) && \
	    $$python -m pip install -q -r examples/reproduce/requirements.txt && touch $(REPRODUCE_VENV)/ok; }; } && \
	  $$python examples/reproduce/reproduce.py --build $(B) --data "$(CIFAR10)" --out results/reproduce $(REPRODUCE_ARGS)

.PHONY: install
install: all ## install tools, libraries, headers, pkg-config file (PREFIX=, DESTDIR=)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/mst
	install $(addprefix $(B)/,$(TOOLS)) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(LIBMST) $(DESTDIR)$(PREFIX)/lib
	install $(LIBMSTSO) $(DESTDIR)$(PREFIX)/lib/libmst.so.$(VERSION)
	ln -sf libmst.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libmst.so.0
	ln -sf libmst.so.0 $(DESTDIR)$(PREFIX)/lib/libmst.so
	install -m 644 runtime/include/mst/* $(DESTDIR)$(PREFIX)/include/mst
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@VERSION@,$(VERSION),' runtime/mst.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/mst.pc

.PHONY: clean
clean: ## remove everything built
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
