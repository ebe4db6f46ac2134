module github.com/hdm-project/hdm

go 1.26
