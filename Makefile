# mst: ANN-to-SNN conversion, execution and error analysis in C.
# One Makefile, no recursion. `make help` lists the targets.

VERSION := 0.1.0
MODE    ?= release
CC      ?= cc
PREFIX  ?= /usr/local
PYTHON  ?= python3
# `make MPI=1`: tools that several processes can share (docs/CLUSTER.md), beside those that cannot, in $(B)/mpi
MPI     ?=
OBJCOPY ?= objcopy
# `make CROSS=aarch64-linux-gnu- library`: libmst by the compiler of that prefix, in a folder of its own (docs/PORTING.md)
CROSS   ?=
ifneq ($(CROSS),)
CC      := $(if $(shell command -v ccache),ccache )$(CROSS)gcc
AR      := $(firstword $(shell command -v $(CROSS)gcc-ar) gcc-ar)
endif
TARGET  := $(shell $(CC) -dumpmachine 2>/dev/null)
MACHINE := $(firstword $(subst -, ,$(TARGET)))
WINDOWS := $(findstring mingw,$(TARGET))
B       := build/$(MODE)$(if $(findstring clang,$(CC)),-clang)$(CROSS:%-=-%)
GEN     := build/gen
VENV    := build/venv

# A program carries what it calls and no tables for unwinding (debuggers have theirs): its pages count on small machines.
OPT_release := -O3 -g -ffunction-sections -fno-asynchronous-unwind-tables
LINK_release := -Wl,--gc-sections
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
ifeq ($(OPT_$(MODE)),)
$(error MODE=$(MODE) is not one of release, debug, asan, fuzz, tsan)
endif

comma := ,
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wwrite-strings -Wvla -Wundef -Wno-sign-conversion
INC  := -Iruntime/include -Iruntime/data/include -Iconverter/include -Icalibrate/include -I. -I$(GEN) \
        $(if $(CROSS),-isystem $(B)/include)
DEPS_PC := libprotobuf-c gsl yaml-0.1 jansson zlib libjpeg libpng libzip libtiff-4 libwebp
# what only some recordings need (AEDAT 4 that is packed, HDF5, MATLAB): they are refused by a build without
there   = $(if $(CROSS),,$(foreach p,$(1),$(shell pkg-config --exists $p 2>/dev/null && echo $p)))
PACKERS := $(call there,liblz4 libzstd)
MATIO   := $(call there,matio)
HDF5    := $(firstword $(call there,hdf5 hdf5-serial))
PACK_FLAGS := $(if $(filter liblz4,$(PACKERS)),-DMST_LZ4) $(if $(filter libzstd,$(PACKERS)),-DMST_ZSTD) $(if $(HDF5),-DMST_HDF5) $(if $(MATIO),-DMST_MATIO)
PC_CFLAGS = $(if $(CROSS),,$(shell pkg-config --cflags $(DEPS_PC) $(HDF5) $(MATIO) 2>/dev/null))
# MinGW: GCC may keep vectors of AVX by moves that want 32 bytes on a stack that has 16 (its bug 54412); isfinite warns.
SYSTEM_FLAGS := $(if $(WINDOWS),-DMST_MAKES_DLL -Wa$(comma)-muse-unaligned-vector-move,-fPIC -fvisibility=hidden)
SYSTEM_WARN  := $(if $(WINDOWS),-Wno-float-conversion)
# One order of float operations on every machine: no contraction, no -march=native, no -Ofast.
CFLAGS  ?= $(OPT_$(MODE))
LDFLAGS ?= $(LINK_$(MODE))
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DMST_VERSION='"$(VERSION)"' $(CFLAGS) -ffp-contract=off \
             $(SYSTEM_FLAGS) -pthread $(PACK_FLAGS) $(WARN) $(SYSTEM_WARN) $(INC) -MMD -MP

# `make V=1` shows each command, otherwise what it makes; `make -s` nothing
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-4s %s\n' $(1) $@;)

src = $(sort $(foreach d,$(1),$(wildcard $(d)/*.c)))
obj = $(patsubst %.c,$(B)/%.o,$(1))

# Users before what they use, and kernels last, set by set, those on counts behind all others: a linker takes them in
# this order, and where a function is called, the system maps the pages around it. So these are neighbours that are not.
KERNEL_SRC  := $(call src,runtime/kernels)
of_sets     = $(foreach s,scalar avx2 avxvnni avx512 vnni amx neon dotprod,$(filter %_$(s).c,$(1)))
RUNTIME_SRC := $(foreach d,session backend $(patsubst runtime/%/,%,$(wildcard runtime/backend/*/)) lower ops plan format ir core,\
                       $(call src,runtime/$(d))) \
               $(filter-out $(call of_sets,$(KERNEL_SRC)),$(KERNEL_SRC)) \
               $(call of_sets,$(filter-out runtime/kernels/count_%,$(KERNEL_SRC))) $(call of_sets,$(filter runtime/kernels/count_%,$(KERNEL_SRC)))
# what is asked of the system, by the system
RUNTIME_SRC := $(filter-out runtime/core/platform_$(if $(WINDOWS),posix,windows).c,$(RUNTIME_SRC))
DATA_SRC    := $(call src,runtime/data runtime/data/events)
CONV_SRC    := $(call src,converter/onnx converter/lower converter/passes converter)
CALIB_SRC   := $(call src,calibrate)
TOOLS       := mstconv mstrun mstcalib
AT          := $(B)$(if $(MPI),/mpi)
MPI_SRC     := tools/mpi/ranks_mpi.c
TOOLS_LIB   := $(filter-out $(wildcard tools/mst*.c) $(if $(MPI),tools/tool_ranks.c),$(call src,tools tools/report)) $(if $(MPI),$(MPI_SRC))
GEN_SRC     := $(GEN)/onnx.pb-c.c

# The libraries, each static and shared: what it is made of, which of the others it stands on, and what else
# of the system it links.
LIBRARIES := mst mstdata mstconv mstcalib
SOVERSION := 0
OBJ_mst      := $(call obj,$(RUNTIME_SRC))
OBJ_mstdata  := $(call obj,$(DATA_SRC))
OBJ_mstconv  := $(call obj,$(CONV_SRC)) $(B)/gen/onnx.pb-c.o
OBJ_mstcalib := $(call obj,$(CALIB_SRC))
NEEDS_mstdata := mst
NEEDS_mstconv := mst
NEEDS_mstcalib := mst
LIBS_mst      := -lm -pthread
LIBS_mstdata  := $(MATIO:%=-l%) -ljpeg -lpng -ltiff -lwebp -lzip -lz $(PACKERS:lib%=-l%) $(if $(HDF5),$(shell pkg-config --libs $(HDF5))) -lm
LIBS_mstconv  := -lprotobuf-c -lmd -lm
LIBS_mstcalib := -lgsl -lgslcblas -lm
ABOUT_mst      := runtime of spiking networks converted from ANNs
ABOUT_mstdata  := data sets and event recordings as the input of a network
ABOUT_mstconv  := conversion of ONNX models to spiking networks
ABOUT_mstcalib := conversion error of a spiking network against its ANN

LIBMST   := $(B)/libmst.a
LIBDATA  := $(B)/libmstdata.a
LIBTOOLS := $(AT)/libmsttools.a
SHARED   := $(LIBRARIES:%=$(B)/lib%.so)
DLL      := $(B)/libmst-$(SOVERSION).dll
# order: users before what they use
LIBS     := $(LIBTOOLS) $(B)/libmstcalib.a $(B)/libmstconv.a $(LIBDATA) $(LIBMST)
LDLIBS   := -lyaml -ljansson $(LIBS_mstcalib) $(LIBS_mstconv) $(LIBS_mstdata) $(LIBS_mst)
ifneq ($(MPI),)
MPI_PC   := $(firstword $(foreach p,ompi-c mpich mpi-c,$(shell pkg-config --exists $p && echo $p)))
LDLIBS   += -Wl,--as-needed $(if $(MPI_PC),$(shell pkg-config --libs $(MPI_PC)))
endif

UNIT_SRC  := $(sort $(filter-out tests/unit/toy/%,$(wildcard tests/unit/*/test_*.c)))
UNIT_BIN  := $(patsubst %.c,$(B)/%,$(UNIT_SRC))
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN  := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))
SUPPORT   := $(call src,tests/support)
KIT_SRC   := $(call src,tests/tools)
KIT_BIN   := $(patsubst %.c,$(B)/%,$(KIT_SRC))
# a build with more operators and a back end more: what expands their tables or counts operators is compiled anew, the
# rest is the same
TOY       := $(B)/toy
TOY_SRC   := $(call src,tests/unit/toy) \
             $(shell grep -lE 'MST_OP_COUNT|mst/ops\.def"|MST_EXTRA_BACKEND' $(filter %.c,$(RUNTIME_SRC) $(CONV_SRC)))

.PHONY: all
all: $(addprefix $(AT)/,$(TOOLS)) $(SHARED) ## build the tools and libraries (MODE=release|debug|asan|tsan)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

# ---- generated: the ONNX schema of the distribution, through protoc-c ----
ONNX_PROTO ?= $(firstword $(wildcard /usr/include/onnx/onnx.proto /usr/local/include/onnx/onnx.proto))
$(GEN)/onnx.pb-c.c $(GEN)/onnx.pb-c.h &: $(ONNX_PROTO)
	@test -n "$(ONNX_PROTO)" || { echo "onnx.proto not found: run 'make deps' (package libonnx-dev)"; exit 1; }
	@mkdir -p $(GEN)
	$(call say,GEN) protoc-c --c_out=$(GEN) --proto_path=$(dir $(ONNX_PROTO)) $(ONNX_PROTO)
$(B)/gen/onnx.pb-c.o: $(GEN_SRC) $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c11 $(CFLAGS) -fPIC -fvisibility=hidden -w -I$(GEN) -MMD -MP -c -o $@ $<
$(call obj,$(call src,converter/onnx)): | $(GEN)/onnx.pb-c.h

# ---- compiler, flags, version: what they made is made anew when they change; what is missing is named ----
$(B)/flags: FORCE
	@$(shell mkdir -p $(B))$(file >$@.new,$(CC) $(ALL_CFLAGS) $(PC_CFLAGS) $(LDFLAGS))cmp -s $@.new $@ || { \
	  $(FLAGS_NEED) && echo '#include <Random123/philox.h>' | $(CC) $(INC) -E - >/dev/null || { \
	    echo "make: a compiler or a library is missing: run 'make deps'$(if $(CROSS), and install $(CC))" >&2; exit 1; }; mv $@.new $@; }
# another compiler does not look for headers where this machine's are: it is shown the only ones that libmst needs
FLAGS_NEED = $(if $(CROSS),mkdir -p $(B)/include && ln -sfn $(RANDOM123) $(B)/include/Random123,pkg-config --exists --print-errors $(DEPS_PC))
RANDOM123 ?= /usr/include/Random123
FORCE:

# ---- objects; instruction set flags only on the files of that set ----
ifeq ($(MACHINE),x86_64)
$(B)/runtime/kernels/%_avx2.o: ISA_FLAGS := -mavx2
$(B)/runtime/kernels/%_avxvnni.o: ISA_FLAGS := -mavx2 -mavxvnni
$(B)/runtime/kernels/%_vnni.o: ISA_FLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mprefer-vector-width=512
$(B)/runtime/kernels/%_amx.o: ISA_FLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mprefer-vector-width=512 -mamx-tile -mamx-int8
$(B)/runtime/kernels/%_avx512.o: ISA_FLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512
else ifeq ($(MACHINE),aarch64)
# GCC 12 ends with an internal error where it vectorizes loops of fmin or fmax
$(B)/runtime/kernels/%_dotprod.o: ISA_FLAGS := -march=armv8.2-a+dotprod
NO_LOOPS := $(addprefix $(B)/,tools calibrate converter) $(addprefix $(B)/port/,converter)
$(addsuffix /%.o,$(NO_LOOPS)): ISA_FLAGS := -fno-tree-loop-vectorize
endif
$(B)/tools/mpi/%.o: ISA_FLAGS = $(shell pkg-config --cflags $(MPI_PC))
$(B)/tools/mpi/%.o: | $(if $(MPI),$(if $(MPI_PC),,no-mpi))
.PHONY: no-mpi
no-mpi:
	@echo "make: MPI=1 needs MPI's library: run 'make deps MPI=1' (package libopenmpi-dev)" >&2; exit 1
$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) $(PC_CFLAGS) $(ISA_FLAGS) -c -o $@ $<

$(foreach l,$(LIBRARIES),$(eval $(B)/lib$l.a: $(OBJ_$l)))
$(foreach l,$(LIBRARIES),$(eval $(B)/lib$l.so: $(OBJ_$l) $(NEEDS_$l:%=$(B)/lib%.so) Makefile))
$(LIBTOOLS): $(call obj,$(TOOLS_LIB))
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $^
# libmst alone: a DLL that needs none but those of the system, and what programs are linked with to use it
$(DLL): $(OBJ_mst) Makefile
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -shared -static -Wl,--out-implib,$(B)/libmst.dll.a -o $@ $(filter %.o,$^) $(LIBS_mst)
# wherever they are installed, those that stand on another find it beside them
$(SHARED): $(B)/lib%.so:
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,lib$*.so.$(SOVERSION) -Wl,-rpath,'$$ORIGIN' -o $@ $(filter %.o %.so,$^) $(LIBS_$*)

$(addprefix $(AT)/,$(TOOLS)): $(AT)/%: $(B)/tools/%.o $(LIBS)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIBS) $(LDLIBS)

# ---- tests ----
$(B)/tests/unit/kernels/test_count_kernels: $(B)/tests/unit/kernels/amx_emulated.o
$(UNIT_BIN): $(B)/%: $(B)/%.o $(call obj,$(SUPPORT)) $(LIBS)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(LDLIBS) $(shell pkg-config --libs check 2>/dev/null)
$(TOY)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) $(PC_CFLAGS) -DMST_EXTRA_OPS='"tests/unit/toy/toy_ops.def"' -DMST_EXTRA_BACKEND=rt_backend_toy -c -o $@ $<
$(TOY)/test_toy: $(TOY_SRC:%.c=$(TOY)/%.o) $(call obj,$(SUPPORT)) $(LIBS)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(LDLIBS) $(shell pkg-config --libs check 2>/dev/null)
# small programs that the Python tests drive
$(KIT_BIN): $(B)/%: $(B)/%.o $(call obj,$(SUPPORT)) $(LIBS)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# preloaded, it lets the k-th call fail; the sweep takes every k, the tests (pytest) some
FAULTS := $(B)/tests/faults/fail_kth.so
$(FAULTS): $(B)/tests/faults/fail_kth.o
	$(call say,LD) $(CC) $(CFLAGS) -shared -o $@ $< -ldl
.PHONY: fault-sweep
fault-sweep: all $(FAULTS) ## let each allocation and each system call of small runs of the tools fail (an hour)
	$(PYTHON) tests/faults/sweep.py $(B)
MOMENTS ?= 200
.PHONY: fault-moments
fault-moments: all $(FAULTS) ## kill the tools, and fill their disk, at random moments, MOMENTS (200) times each
	$(PYTHON) tests/faults/moments.py $(B) -n $(MOMENTS)

# a fuzz target with a main that replays files; `make fuzz` links libFuzzer instead
$(FUZZ_BIN): $(B)/%: $(B)/%.o $(B)/tests/fuzz/replay_main.o $(call obj,$(SUPPORT)) $(LIBS)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# each in a job of its own (-j), whose output stays together
run_apart = { echo "== $(notdir $<)"; $(1); } >$<.log 2>&1; s=$$?; cat $<.log; exit $$s
UNIT_RUN := $(addsuffix .run,$(UNIT_BIN) $(TOY)/test_toy)
.PHONY: unit $(UNIT_RUN)
unit: $(UNIT_RUN) ## build and run the C unit tests of this MODE
$(UNIT_RUN): %.run: %
	@$(call run_apart,MST_FIXTURES=tests $<)

REPLAY_RUN := $(addsuffix .replay,$(FUZZ_BIN))
.PHONY: replay $(REPLAY_RUN)
replay: $(REPLAY_RUN) ## run every fuzz target once over its corpus and the golden bad files
$(REPLAY_RUN): %.replay: %
	@$(call run_apart,$< $$(find tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $<)) tests/golden -type f))

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZ_SECONDS (needs clang): make fuzz FUZZ_SECONDS=300
	$(MAKE) CC=clang MODE=fuzz B=build/fuzz fuzz-run
.PHONY: fuzz-run
fuzz-run: $(FUZZ_SRC:%.c=$(B)/%.libfuzzer)
	@for t in $^; do n=$$(basename $$t .libfuzzer); mkdir -p build/corpus/$$n; \
	  $$t -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=20 build/corpus/$$n tests/fuzz/corpus/$${n#fuzz_} || exit 1; done
# mutations that know the format, beside libFuzzer's own of bytes
$(B)/tests/fuzz/mutate_onnx.o: | $(GEN)/onnx.pb-c.h
$(B)/tests/fuzz/fuzz_onnx.libfuzzer $(B)/tests/fuzz/fuzz_convert.libfuzzer: $(B)/tests/fuzz/mutate_onnx.o
$(B)/tests/fuzz/fuzz_snn.libfuzzer: $(B)/tests/fuzz/mutate_snn.o
$(B)/%.libfuzzer: $(B)/%.o $(call obj,$(SUPPORT)) $(LIBS)
	$(call say,LD) $(FUZZ_LINK) $(CFLAGS) $(FUZZ_ENGINE) -o $@ $^ $(LDLIBS)
FUZZ_LINK    ?= $(CC)
FUZZ_ENGINE  ?= -fsanitize=fuzzer
FUZZ_SECONDS ?= 60
.PHONY: fuzz-build
fuzz-build: $(FUZZ_SRC:%.c=$(B)/%.libfuzzer)
# what it keeps lies outside the tree: corpora, counts.tsv, crashes
HOURS       ?= 1
FUZZ_FOLDER ?= $(HOME)/mst-fuzz
.PHONY: fuzz-campaign
fuzz-campaign: ## fuzz all targets in turn, go on from what is in FUZZ_FOLDER: make fuzz-campaign HOURS=8
	$(MAKE) CC=clang MODE=fuzz B=build/fuzz fuzz-build
	sh tests/fuzz/campaign.sh build/fuzz $(HOURS) $(FUZZ_FOLDER)

# the oracles: ONNX, ONNX Runtime, NumPy
$(VENV)/ok: tests/requirements.txt
	@rm -rf $(VENV); $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q -r $< && touch $@ || \
	  { rm -rf $(VENV); echo "make: could not install tests/requirements.txt into $(VENV)" >&2; \
	    test "$(CI)" != true; }
.PHONY: mpi-tools
mpi-tools: all
	@! pkg-config --exists ompi-c || $(MAKE) --no-print-directory MPI=1 all
.PHONY: pytest
pytest: all mpi-tools $(KIT_BIN) $(FAULTS) $(VENV)/ok ## test the tools against the oracles (ONNX Runtime, NumPy simulator)
	@if [ -e $(VENV)/ok ]; then PYTHONPATH=$(CURDIR)/python MST_BUILD=$(B) $(VENV)/bin/python -m pytest -q -rs -n auto --dist loadfile tests/python $(PYTEST_ARGS); \
	else echo "SKIP: Python tests: the packages of tests/requirements.txt could not be installed"; fi

# PyTorch as PyPI has it for Linux does not load without 3 GB of CUDA's libraries; in CI Debian's, for CPUs, is installed (147 MB).
TRAIN_PYTHON ?= $(if $(filter true,$(CI)),/usr/bin/python3,$(PYTHON))
# Other programs go into a folder of their own, for one version of Python, beside whatever that Python has.
BRIDGES := nir_peers spikingjelly neurobench
.PHONY: train-check
train-check: all $(VENV)/ok ## test the training code, mst.torch and the bridges, where TRAIN_PYTHON (PYTHON) has PyTorch
	@test "$(CI)" != true || sh third_party/deps.sh python3-torch python3-onnx python3-pytest python3-pytest-xdist python3-yaml || \
	  echo "make: PyTorch could not be installed" >&2
	@if $(TRAIN_PYTHON) -c 'import torch, yaml, pytest' 2>/dev/null; then \
	  apart=$$($(TRAIN_PYTHON) -c 'import xdist; print("-n auto")' 2>/dev/null); \
	  peers=build/bridges/$$($(TRAIN_PYTHON) -c 'import sys; print(sys.implementation.cache_tag)'); \
	  test $$peers/ok -nt tests/bridges.txt || { rm -rf $$peers; \
	    $(VENV)/bin/pip --python "$$(command -v $(TRAIN_PYTHON))" install -q --no-deps --target $$peers -r tests/bridges.txt && \
	      touch $$peers/ok || { echo "make: could not install tests/bridges.txt into $$peers" >&2; test "$(CI)" != true || exit 1; }; }; \
	  PYTHONPATH=$$peers $(TRAIN_PYTHON) -m pytest -q -rs -p no:cacheprovider $$apart examples/train tests/python/test_package_torch.py \
	    $(BRIDGES:%=tests/python/test_%.py); \
	else echo "SKIP: tests of the training code: $(TRAIN_PYTHON) lacks PyTorch, PyYAML or pytest (examples/train/requirements.txt)"; fi

# ---- the Python package ----
.PHONY: wheel
wheel: all ## pack the Python package with the libraries and tools inside: build/wheel/mst-*.whl
	@rm -rf build/wheel
	@MST_BUILD=$(B) $(PYTHON) python/build_backend.py build/wheel
WHEEL_PYTHONS ?=
.PHONY: wheel-check
wheel-check: wheel ## install the wheel for each python3.N of PATH (or WHEEL_PYTHONS) and run the Python of README.md and docs/PYTHON.md
	@sh tests/wheel.sh build/wheel/*.whl build/wheel-venv $(WHEEL_PYTHONS)

# ---- libmst elsewhere: `make CROSS=PREFIX- library`, and its tests, which need no library there (docs/PORTING.md) ----
.PHONY: library
library: $(LIBMST) $(if $(WINDOWS),$(DLL),$(B)/libmst.so) ## build libmst alone: make CROSS=aarch64-linux-gnu- library
# tests/port/check.h stands in for libcheck; of other libraries' sources those are linked that the tests call
PORT_SRC  := $(filter-out %/test_options.c %/test_save_faults.c,\
               $(filter $(addprefix tests/unit/,$(addsuffix /%,core ir format plan kernels ops backend session)),$(UNIT_SRC)))
EXE       := $(if $(WINDOWS),.exe)
PORT_BIN  := $(PORT_SRC:%.c=$(B)/port/%$(EXE))
PORT_WITH := $(addprefix tests/support/,test_alloc.c sample_graphs.c snn_memory.c) tests/port/converted.c converter/passes/pass_weights.c
WINE      := WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml=' WINEPREFIX=$(abspath build/wine) wine
PORT_RUN  := $(if $(findstring aarch64,$(CROSS)),qemu-aarch64,$(if $(WINDOWS),$(WINE)))
# what is tested is libmst: its tests are built soon rather than fast
PORT_FLAGS := -Itests/port -O1 $(if $(WINDOWS),-include tests/port/windows.h)
$(B)/port/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) $(PORT_FLAGS) $(ISA_FLAGS) -c -o $@ $<
$(B)/port/libport.a: $(PORT_WITH:%.c=$(B)/port/%.o)
$(PORT_BIN): %$(EXE): %.o $(B)/port/libport.a $(LIBMST)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $^ $(LIBS_mst)
$(B)/port/tests/unit/kernels/test_count_kernels$(EXE): $(B)/port/tests/unit/kernels/amx_emulated.o
# a user's program: with the DLL on Windows, where it lies beside it
NET_HASH  := $(B)/net_hash$(EXE)
$(B)/port/tests/port/net_hash.o: ISA_FLAGS += $(if $(WINDOWS),-UMST_MAKES_DLL -DMST_USES_DLL)
$(NET_HASH): $(B)/port/tests/port/net_hash.o $(if $(WINDOWS),$(DLL),$(LIBMST))
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) $(if $(CROSS),-static) -o $@ $(^:%.dll=$(B)/libmst.dll.a) $(LIBS_mst)
# rounds of each test that has several, and one in how many random cases: the machines are emulated
PORT_ROUNDS ?= 1
PORT_SHARE  ?= 4
# models for them, if tools for this machine are there to convert them, and what a network gives here
PORT_CONV := $(wildcard build/release/mstconv)
PORT_BINS := $(if $(PORT_CONV),$(patsubst tests/fixtures/onnx/%,build/port/%.bin,$(wildcard tests/fixtures/onnx/*-tsdyn.onnx tests/fixtures/onnx/swin-masked-ts.onnx)))
PORT_NET  := build/port/digits-swin.onnx.bin
PORT_HERE := $(if $(PORT_CONV),build/port/hashes)
vpath %.onnx tests/fixtures/onnx examples/models
build/port/%.bin: % $(PORT_CONV)
	@mkdir -p $(@D)
	@$(PORT_CONV) --quiet --force $< -o $@
build/port/hashes: $(PORT_NET) tests/port/net_hash.c
	@+$(MAKE) --no-print-directory CROSS= MODE=release build/release/net_hash
	@build/release/net_hash $(PORT_NET) 8 > $@.new && mv $@.new $@
build/wine/ok: # what wine keeps of a user
	@mkdir -p $(@D) && $(WINE) cmd /c exit && touch $@
PORT_NEEDS := $(if $(WINDOWS),build/wine/ok)
.PHONY: port-models port-check $(PORT_BIN:%=%.run) $(NET_HASH).run
port-models: $(PORT_BINS) $(PORT_HERE)
port-check: $(PORT_BIN:%=%.run) $(if $(PORT_CONV),$(NET_HASH).run)
$(PORT_BIN:%=%.run): %.run: % $(PORT_BINS) $(PORT_NEEDS)
	@$(call run_apart,MST_PORT_ROUNDS=$(PORT_ROUNDS) MST_PORT_SHARE=$(PORT_SHARE) MST_FIXTURES=$(if $(PORT_CONV),tests,none) MST_CONVERTED=build/port $(PORT_RUN) $<)
$(NET_HASH).run: %.run: % $(PORT_HERE) $(PORT_NEEDS)
	@$(PORT_RUN) $< $(PORT_NET) 8 | tr -d '\r' | diff build/port/hashes - && echo "net_hash: a network gives what it gives here"

# $(call elsewhere,NAME,PREFIX,PROGRAMS,SETTINGS): where the programs are, libmst by PREFIX's compiler, and its tests
elsewhere = for p in $(2)gcc $(3); do command -v $$p >/dev/null || { echo "SKIP: libmst for $(1): $$p is not installed (sh third_party/deps.sh ports)"; exit 0; }; done; \
            $(MAKE) --no-print-directory CROSS=$(2) MODE=release $(4) library port-check
.PHONY: ports check-aarch64 check-musl check-windows
ports: ## build and test libmst for other machines, systems and C libraries, where compilers for them are installed
	@test "$(CI)" != true || sh third_party/deps.sh ports || echo "make: compilers for other machines could not be installed" >&2
	@$(MAKE) --no-print-directory check-aarch64 check-musl check-windows
check-aarch64: $(if $(PORT_CONV),port-models) ## the same for aarch64, under qemu-aarch64
	@+$(call elsewhere,aarch64,aarch64-linux-gnu-,qemu-aarch64)
# processor and compiler are those of every other test: what is new is the C library, however fast
check-musl: $(if $(PORT_CONV),port-models) ## the same with musl's C library
	@+$(call elsewhere,musl,musl-,,CFLAGS=-O1)
check-windows: $(if $(PORT_CONV),port-models) ## the same for Windows, under wine
	@+$(call elsewhere,Windows,x86_64-w64-mingw32-,wine)

JOBS ?= $(shell nproc)
.PHONY: check
check: deps-check ## build and pass every test: what CI runs
	$(MAKE) lint
	$(MAKE) -j$(JOBS) MODE=release all bench-build unit
	@sh tests/circles.sh build/release
	$(MAKE) -j$(JOBS) MODE=asan unit replay
	$(MAKE) clang-check
	$(MAKE) -j$(JOBS) MODE=tsan unit-threads
	$(MAKE) -j$(JOBS) MODE=release pytest
	$(MAKE) MODE=release wheel-check
	$(MAKE) train-check
	$(MAKE) -j$(JOBS) ports
	@echo "make check: passed"

# The second compiler: what it warns of. It builds the fuzz targets (make fuzz).
.PHONY: clang-check
clang-check: $(GEN)/onnx.pb-c.h ## let clang, where it is installed, look for warnings
	@if command -v clang >/dev/null; then \
	  printf '%s\n' $(RUNTIME_SRC) $(DATA_SRC) $(CONV_SRC) $(CALIB_SRC) $(UNIT_SRC) $(call src,tools bench tests/support tests/port tests/tools tests/fuzz tests/faults) | \
	    xargs -P $(JOBS) -n 8 clang -fsyntax-only -Werror -std=c11 -D_GNU_SOURCE -DMST_VERSION='"$(VERSION)"' $(PACK_FLAGS) $(WARN) $(INC) $(PC_CFLAGS) \
	    -mavx2 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni; \
	else echo "SKIP: clang is not installed"; fi

.PHONY: unit-threads
unit-threads: $(filter %/test_threads %/test_session %/test_block_schedule,$(UNIT_BIN)) ## the tests that use threads (MODE=tsan)
	@for t in $(filter-out %/test_block_schedule,$^); do echo "== $$t"; $$t || exit 1; done
	CK_RUN_CASE=threads $(filter %/test_block_schedule,$^)

.PHONY: lint
lint: ## check include edges, file sizes, names and layout
	@test "$(CI)" != true || sh third_party/deps.sh clang-format || echo "make: clang-format could not be installed" >&2
	@sh tests/lint.sh

.PHONY: format
format: ## lay the C code out as .clang-format says (clang-format 14)
	git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: operators
operators: $(B)/mstconv ## write the table of operators in docs/ONNX.md anew
	$(B)/mstconv --list ops > $(B)/ops.txt
	awk -f docs/operators.awk $(B)/ops.txt docs/ONNX.md > $(B)/ONNX.md && cp $(B)/ONNX.md docs/ONNX.md

# ---- measured against PyTorch, SpikingJelly and ONNX Runtime (bench/README.md); never part of the tests ----
BENCH      ?= full
BENCH_VENV ?= build/bench-venv
BENCH_BIN  := $(patsubst %.c,$(B)/%,$(sort $(wildcard bench/*.c)))
$(filter-out %/bench_readers,$(BENCH_BIN)): $(B)/%: $(B)/%.o $(LIBMST)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIBMST) -lm -pthread
$(B)/bench/bench_readers: $(B)/bench/bench_readers.o $(LIBDATA) $(LIBMST)
	$(call say,LD) $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
build/bench-venv/ok: bench/requirements.txt bench/venv.sh
	@sh bench/venv.sh $(PYTHON) build/bench-venv bench/requirements.txt
.PHONY: bench-build
bench-build: $(BENCH_BIN)
.PHONY: bench
bench: all $(BENCH_BIN) $(filter build/bench-venv/ok,$(BENCH_VENV)/ok) ## measure against peers; BENCH=quick, BENCH_ARGS="--models swin-cifar"
	@$(PYTHON) bench/bench.py --build $(B) --out build/bench --python $(BENCH_VENV)/bin/python \
	  --missing $(BENCH_VENV)/missing.txt --mode $(BENCH) --cc $(CC) $(BENCH_ARGS)

# ---- for users ----
.PHONY: deps deps-check deps-demo
deps: ## install what the build needs and is missing, through the system's package manager
	@sh third_party/deps.sh build $(if $(MPI),mpi)
deps-check deps-demo: deps-%: ## the same, for the tests; deps-demo: the least, for the demo
	@sh third_party/deps.sh $* $(if $(MPI),mpi)

.PHONY: demo
demo: deps-demo ## build, convert the bundled digits model, run and validate it
	@$(MAKE) --no-print-directory all
	@sh examples/demo.sh $(B)

# CIFAR10 is the folder of the official binary files, NMNIST one of N-MNIST recordings (its Test). numpy and matplotlib
# come from PYTHON where it has them, otherwise into a virtual environment of their own. What was measured is kept under
# results/, so that a run that was stopped goes on; the quick look keeps its own.
REPRODUCE_VENV := build/reproduce-venv
REPRODUCE_ARGS ?=
REPRODUCE_QUICK := --count 250 --figure-count 10 --seeds 3 --radix-seeds 2 --probe-count 4 --map-count 10 --event-steps 128
.PHONY: reproduce reproduce-quick
reproduce: all ## the paper's tables and figures from the committed models: make reproduce CIFAR10=cifar-10-batches-bin [NMNIST=Test]
reproduce-quick: all ## the same from few images, within minutes
reproduce reproduce-quick:
	@test -n "$(CIFAR10)" || { echo "make: $@ needs CIFAR10=FOLDER (of test_batch.bin)" >&2; exit 1; }
	@python=$(PYTHON); $$python -c 'import numpy, matplotlib' 2>/dev/null || { python=$(REPRODUCE_VENV)/bin/python; \
	  test -e $(REPRODUCE_VENV)/ok || { rm -rf $(REPRODUCE_VENV); $(PYTHON) -m venv $(REPRODUCE_VENV) && \
	    $$python -m pip install -q -r examples/reproduce/requirements.txt && touch $(REPRODUCE_VENV)/ok; }; } && \
	  $$python examples/reproduce/reproduce.py --build $(B) --data "$(CIFAR10)" $(if $(NMNIST),--recordings "$(NMNIST)") \
	    --out results/$@ $(if $(filter %-quick,$@),$(REPRODUCE_QUICK)) $(REPRODUCE_ARGS)

# What is installed, each from its list: INSTALLED are the paths under PREFIX, and all that uninstall removes.
HEADERS := $(wildcard $(addsuffix /include/mst/*,runtime runtime/data converter calibrate))
C_EXAMPLES := $(wildcard examples/c/*.c)
DOCS := LICENSE README.md CHANGELOG.md CITATION.cff $(wildcard docs/*.md)
PREFIX_AT = $(DESTDIR)$(abspath $(PREFIX))
INSTALLED = $(TOOLS:%=bin/%) $(addprefix include/mst/,$(notdir $(HEADERS))) \
            $(foreach l,$(LIBRARIES),$(addprefix lib/lib$l.,a so so.$(SOVERSION) so.$(VERSION)) lib/pkgconfig/$l.pc) \
            $(addprefix share/mst/examples/,$(notdir $(C_EXAMPLES))) $(addprefix share/doc/mst/,$(notdir $(DOCS))) \
            $(TOOLS:%=share/man/man1/%.1) $(TOOLS:%=share/bash-completion/completions/%) $(TOOLS:%=share/zsh/site-functions/_%)
# a static library as others get it: one object in which private names are no symbols that could clash
$(B)/install/lib%.a: $(B)/lib%.a
	@mkdir -p $(@D)
	$(call say,LD) $(CC) -r -nostdlib -Wl,--whole-archive $< -Wl,--no-whole-archive -o $(@:.a=.o)
	@$(OBJCOPY) --localize-hidden $(@:.a=.o)
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $(@:.a=.o)
.PHONY: install
install: all $(LIBRARIES:%=$(B)/install/lib%.a) ## install tools, libraries, headers, pkg-config files, C examples (PREFIX=, DESTDIR=)
	install -d $(addprefix $(PREFIX_AT)/,bin lib/pkgconfig include/mst share/mst/examples share/doc/mst \
	  share/man/man1 share/bash-completion/completions share/zsh/site-functions)
	install $(TOOLS:%=$(AT)/%) $(PREFIX_AT)/bin
	install -m 644 $(LIBRARIES:%=$(B)/install/lib%.a) $(PREFIX_AT)/lib
	install -m 644 $(HEADERS) $(PREFIX_AT)/include/mst
	install -m 644 $(C_EXAMPLES) $(PREFIX_AT)/share/mst/examples
	install -m 644 $(DOCS) $(PREFIX_AT)/share/doc/mst
	set -e; for t in $(TOOLS); do \
	  $(AT)/$$t --help=man > $(PREFIX_AT)/share/man/man1/$$t.1; \
	  $(AT)/$$t --help=bash > $(PREFIX_AT)/share/bash-completion/completions/$$t; \
	  $(AT)/$$t --help=zsh > $(PREFIX_AT)/share/zsh/site-functions/_$$t; done
	$(foreach l,$(LIBRARIES),$(call install_library,$l))
	@test -n "$(DESTDIR)" || PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -qF $(abspath $(PREFIX))/lib/libmst.so || \
	  echo "make: programs find the libraries after 'ldconfig' (as root), or with LD_LIBRARY_PATH=$(abspath $(PREFIX))/lib"
define install_library
install -m 644 $(B)/lib$1.so $(PREFIX_AT)/lib/lib$1.so.$(VERSION)
	ln -sf lib$1.so.$(VERSION) $(PREFIX_AT)/lib/lib$1.so.$(SOVERSION)
	ln -sf lib$1.so.$(SOVERSION) $(PREFIX_AT)/lib/lib$1.so
	printf '%s\n' 'prefix=$(abspath $(PREFIX))' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: $1' 'Description: $(ABOUT_$1)' 'Version: $(VERSION)' 'Requires: $(NEEDS_$1:%=% = $(VERSION))' \
	  'Libs: -L$${libdir} -l$1' 'Libs.private: $(LIBS_$1)' 'Cflags: -I$${includedir}' \
	  > $(PREFIX_AT)/lib/pkgconfig/$1.pc
	
endef
.PHONY: uninstall
uninstall: ## remove what `make install` of the same PREFIX and DESTDIR put there, and nothing else
	rm -f $(addprefix $(PREFIX_AT)/,$(INSTALLED))
	@rmdir $(addprefix $(PREFIX_AT)/,include/mst share/mst/examples share/mst share/doc/mst) 2>/dev/null || true

.PHONY: clean
clean: ## remove everything built
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
