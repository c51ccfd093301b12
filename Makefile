# The two commands: make demo, make test. Both need Go and nothing else; so does make play.
SHELL := /bin/sh
export CGO_ENABLED = 0
BUILD = go build -trimpath -buildvcs=false
LD = -ldflags "-s -w"
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' plugin.toml)

.PHONY: build demo play test torture e2e bench ratios fmt release clean

build: ## bin/upgrade-guard, so that ./pre-upgrade FROM TO works in place
	$(BUILD) -o bin/upgrade-guard ./src

demo: build ## the story of dokku/dokku issue 7253, without and with the guard
	@go run ./tests/demo

play: build ## a shell on a sandbox host: make play [FROM=<recording>] [GUARD=no]
	@GUARD=$(GUARD) go run ./tests/play "$(FROM)"

test: build ## all tests; no root, Docker or network
	go test -count=1 -timeout 30m ./...
	cd compat/common && go test -count=1 ./...

torture: ## what the tests do at random, more often: 200 kills of each command
	UPGRADE_GUARD_TORTURE=200 go test -count=1 -timeout 60m -v ./tests/torture

bench: ## a thousand apps beside sha256sum, tar and cp of the same files (make bench APPS="1000 3000 10000"); upgrades of a thousand; two hundred behind nginx
	UPGRADE_GUARD_BENCH_APPS="$(APPS)" go test ./tests/host -run '^$$' -bench '^BenchmarkApps$$' -benchtime 1x -timeout 2h
	go test ./tests/host -run '^$$' -bench '^BenchmarkUpgrade$$/^(observation|pre-upgrade|post-upgrade|addresses)$$/^1000$$' -benchtime 1x -count 5 -timeout 2h
	go test ./tests/nginx -run '^$$' -bench . -benchtime 1x

ratios: ## the short form of bench, which fails where a figure is too many times what it is held to
	UPGRADE_GUARD_RATIOS=yes go test -count=1 -v ./tests/host -run '^TestRatios$$'

e2e: build ## a scenario on this machine's own Dokku: make e2e SCENARIO=… [FROM=… TO=… GUARD=no] (as root, on a host you can lose)
	UPGRADE_GUARD_REAL_HOST=yes go test -timeout 60m ./tests/scenarios -count=1 -v -run 'TestScenarios/^($(SCENARIO))$$'

fmt:
	gofmt -l -w src compat tests

release: ## dist/upgrade-guard-VERSION.tar.gz for dokku plugin:install, and its SHA-256 sums
	rm -rf dist && mkdir -p dist/upgrade-guard/bin
	GOARCH=amd64 $(BUILD) $(LD) -o dist/upgrade-guard/bin/upgrade-guard-amd64 ./src
	GOARCH=arm64 $(BUILD) $(LD) -o dist/upgrade-guard/bin/upgrade-guard-arm64 ./src
	GOARCH=arm GOARM=7 $(BUILD) $(LD) -o dist/upgrade-guard/bin/upgrade-guard-armhf ./src
	cp -RP plugin.toml install uninstall run subcommands $$(find . -maxdepth 1 -type l) README.md CHANGELOG.md LICENSE CONTRIBUTING.md SECURITY.md docs dist/upgrade-guard/
	mkdir dist/upgrade-guard/hook && cp hook/packages hook/apt.conf hook/dpkg.cfg hook/README dist/upgrade-guard/hook/
	cd dist/upgrade-guard/bin && sha256sum upgrade-guard-* > SHA256SUMS
	tar -C dist --owner=0 --group=0 --sort=name -czf dist/upgrade-guard-$(VERSION).tar.gz upgrade-guard
	cd dist && sha256sum *.tar.gz > SHA256SUMS && cat SHA256SUMS

clean:
	rm -rf bin dist
