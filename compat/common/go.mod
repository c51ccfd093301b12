module github.com/dokku/dokku/plugins/common

go 1.26
