# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test check bench lock clean

demo: $(VENV)/.ready mosquitto
	@$(BIN)/kiosk demo $(ARGS)

test: $(VENV)/.ready mosquitto postgresql chromium firefox turnserver haproxy clients oidc pipewire appliance-tools check
ifeq ($(ARGS)$(shell uname -s)$(shell id -u),Linux0)
	@$(BESIDE)
else
	@$(BIN)/pytest $(ARGS)
endif

# All of them. The emulated machine takes one processor for a quarter of an hour, so everything else is tried meanwhile;
# in a session of its own, or an interrupt would leave it behind.
define BESIDE
mkdir -p build; setsid $(BIN)/pytest --ignore=tests/unit --ignore=tests/contract --ignore=tests/whole >build/appliance.log 2>&1 & \
	machine=$$!; trap 'kill -TERM -$$machine' INT TERM; \
	$(BIN)/pytest --ignore=tests/appliance; rest=$$?; \
	wait $$machine; machine=$$?; cat build/appliance.log; exit $$((rest | machine))
endef

check: $(VENV)/.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# make bench NAME=main_job
bench: $(VENV)/.ready mosquitto chromium $(if $(filter desk,$(NAME)),postgresql) $(if $(filter call call_screen fanout,$(NAME)),rivals) $(if $(filter call_screen,$(NAME)),xvfb)
	@test -n "$(NAME)" || { echo "which one?  make bench NAME=<name>:"; grep -l 'benchmarks.report import .*tell\|"benchmark":' benchmarks/*.py | sed 's|.*/\(.*\)\.py|  \1|; s|_tell$$||'; exit 2; }
	@$(BIN)/python -m benchmarks.$(NAME) $(ARGS)

# The environment: exactly what requirements.lock says, and this project in place.
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit("Python 3.11 or newer is needed, this is %d.%d" % v[:2] if v < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing (on Debian: the package python3-venv)"; exit 1; }
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Programs from the system's package manager, installed only where they are missing.
SYSTEM_PATH := PATH="$$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:$(lastword $(wildcard /usr/lib/postgresql/*/bin))"
define install
@$(SYSTEM_PATH); command -v $(1) >/dev/null 2>&1 || { \
	if command -v apt-get >/dev/null; then \
		if [ "$$(id -u)" = 0 ]; then run=; elif command -v sudo >/dev/null; then run=sudo; echo "installing $(2) needs root: sudo may ask for your password"; \
		else echo "$(2) is missing and installing it needs root: apt-get install $(2)"; exit 1; fi; \
		$$run apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends $(2); \
	elif command -v brew >/dev/null; then brew install $(2); \
	elif command -v dnf >/dev/null; then sudo dnf install -y $(2); \
	else echo "$(2) is missing; please install it with your package manager"; exit 1; fi; }
endef

.PHONY: mosquitto postgresql chromium firefox turnserver clients pipewire
mosquitto:
	$(call install,mosquitto,mosquitto)
# The tests start one of their own: Debian's package is told not to make a cluster that runs all the time.
postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || [ "$$(id -u)" != 0 ] || [ ! -d /etc/apt ] || { \
		mkdir -p /etc/postgresql-common/createcluster.d && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/no-main.conf; }
	$(call install,initdb,postgresql)
chromium:
	$(call install,chromium,chromium)
# Debian's name for it; other systems' `firefox` does as well.
firefox:
	@command -v firefox >/dev/null 2>&1 || { $(MAKE) --no-print-directory firefox-esr; }
.PHONY: firefox-esr
firefox-esr:
	$(call install,firefox-esr,firefox-esr)
# Debian's package would start a relay of its own, open to everybody: masked before it comes.
turnserver:
	@command -v turnserver >/dev/null || [ ! -d /run/systemd/system ] || systemctl mask --quiet coturn 2>/dev/null || sudo systemctl mask --quiet coturn
	$(call install,turnserver,coturn)
# Debian's package starts it with a configuration that listens nowhere.
.PHONY: haproxy
haproxy:
	$(call install,haproxy,haproxy)

# WebRTC clients of other people, which the tests let into a call.
CLIENTS := build/clients
clients: $(CLIENTS)/.ready
$(CLIENTS)/.ready: tests/whole/clients/package.json tests/whole/clients/package-lock.json
	$(call install,npm,npm)
	@mkdir -p $(CLIENTS) && cp tests/whole/clients/package.json tests/whole/clients/package-lock.json $(CLIENTS)/
	@npm ci --prefix $(CLIENTS) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# GStreamer's webrtcbin joins a call in the tests, and is measured against (there with its encoder, x264).
GSTREAMER := gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice \
	python3-gi gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0
GSTREAMER_SENDS := $(GSTREAMER) gstreamer1.0-tools gstreamer1.0-plugins-ugly
define install_gstreamer
@/usr/bin/python3 -c 'import gi; gi.require_version("GstWebRTC", "1.0"); from gi.repository import Gst, GstWebRTC; Gst.init(None); \
	assert all(Gst.ElementFactory.find(n) for n in "webrtcbin nicesrc dtlsdec srtpenc rtph264depay $(1)".split())' 2>/dev/null || { \
	command -v apt-get >/dev/null || { echo "GStreamer with webrtcbin and its Python bindings is missing; please install it"; exit 1; }; \
	if [ "$$(id -u)" = 0 ]; then run=; else run=sudo; fi; \
	$$run apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends $(2); }
endef

# For one test of tests/whole/test_clients.py, which is skipped where GStreamer cannot be had.
.PHONY: gstreamer
gstreamer:
ifeq ($(shell uname -s),Linux)
	-$(call install_gstreamer,,$(GSTREAMER))
endif

# A provider of single sign-on by other people, in an environment of its own: it is no library of ours.
OIDC := build/oidc
.PHONY: oidc
oidc: $(OIDC)/.ready
$(OIDC)/.ready: tests/contract/oidc/requirements.txt
	@$(PYTHON) -m venv $(OIDC)
	@$(OIDC)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# What the call is measured against. Packages of npm lie under build/, never in the repository.
.PHONY: rivals
rivals: build/rivals/.ready
	$(call install_gstreamer,x264enc,$(GSTREAMER_SENDS))
build/rivals/.ready:
	$(call install,npm,npm)
	@mkdir -p build/rivals
	@npm install --silent --no-audit --no-fund --no-save --prefix build/rivals @roamhq/wrtc
	@touch $@

.PHONY: xvfb
xvfb:
	$(call install,Xvfb,xvfb)

# For tests/contract/test_pipewire.py, which runs a PipeWire of its own; where it cannot be had, they are skipped.
pipewire:
ifeq ($(shell uname -s),Linux)
	-$(call install,wireplumber,pipewire pipewire-bin pipewire-alsa wireplumber)
endif

# The real drivers, in a chroot and in an emulated machine (docs/appliance.md); a part of `make test` where they can run.
.PHONY: appliance appliance-tools
appliance: $(VENV)/.ready mosquitto appliance-tools
	@$(BIN)/pytest -m appliance $(ARGS)
appliance-tools:
ifeq ($(shell uname -s)$(shell id -u),Linux0)
	-$(call install,mmdebstrap,mmdebstrap)
	-$(call install,qemu-system-x86_64,qemu-system-x86)
endif

# Every page of the desk, for docs/pages, and both sides for the README.
.PHONY: pictures
pictures: $(VENV)/.ready mosquitto chromium
	@$(BIN)/python -m tests.pictures $(ARGS)
	@$(if $(ARGS),true,$(BIN)/python -m tests.both_sides)

# After a change of the dependencies in pyproject.toml.
lock:
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet --disable-pip-version-check uv
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
