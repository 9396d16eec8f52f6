package device

import (
	"bytes"
	"path"
	"strings"
)

// IsConfiguration reports whether a file may be a device's configuration, by its name and what it
// holds. It is false for logs, dumps, the output of tech-support, pictures, documents, programs and
// notes, of which folders and repositories of configurations have some. In doubt it is true: what
// is taken for a configuration can be removed, and what is passed over is lost.
func IsConfiguration(filename string, body []byte) bool {
	base := strings.ToLower(path.Base(strings.ReplaceAll(filename, `\`, "/")))
	if foreignName(base) {
		return false
	}
	w := newWalk(body)
	if len(bytes.TrimSpace(w.text)) == 0 || foreignStart(w.text) || techSupport(w.text) {
		return false
	}
	if w.platform != &plain {
		return true
	}
	return !doubtful[path.Ext(base)] && !logged(w.text) && !noted(w.text)
}

// foreign are extensions of files that are no configurations, whatever they hold.
var foreign = wordSet(".rst .adoc .pyc .bash .rb .js .ts .go .c .h .php .ps1 .bat .cmd " +
	".exe .dll .jar .ipynb .j2 .tmpl .css .html .htm .png .jpg .jpeg .gif .bmp .ico .svg .webp " +
	".vsd .vsdx .drawio .pdf .doc .docx .xls .xlsx .ppt .pptx .odt .ods .mp4 .pcap .pcapng .dmp " +
	".crash .patch .diff .sql .sqlite .db .swp .mib .toml .pem .crt .cer .csr .iso .img .spa " +
	".pkg .deb .rpm .ova .qcow2")

// doubtful are extensions of files that are configurations only if a platform recognises them. Some
// are domains of countries, in which devices have names, too.
var doubtful = wordSet(".log .json .yml .yaml .csv .tsv .out .md .py .sh .pl .so .tf .core .cap " +
	".lock")

// foreignNames are names, without extensions, of files that say something of others.
var foreignNames = wordSet("readme todo to-do to_do notes changelog changes license licence " +
	"copying " +
	"authors contributors contributing codeowners makefile dockerfile vagrantfile jenkinsfile " +
	"thumbs messages syslog dmesg crashinfo vmcore")

// foreignName reports whether a name, in small letters, is none of a configuration.
func foreignName(base string) bool {
	stem, _, _ := strings.Cut(base, ".")
	if strings.HasPrefix(base, ".") || foreign[path.Ext(base)] || foreignNames[stem] {
		return true
	}
	for _, part := range []string{"tech-support", "techsupport", "tech_support", "show_tech",
		"show-tech", "showtech", "crashinfo", "coredump", "core-dump", "supportinfo"} {
		if strings.Contains(base, part) {
			return true
		}
	}
	return false
}

// foreignStart reports whether a text begins as pictures, documents, programs and captures of
// packets do.
func foreignStart(text []byte) bool {
	for _, magic := range []string{"\x89PNG", "\xff\xd8\xff", "GIF8", "BM\x00", "%PDF-", "\x7fELF",
		"MZ\x90", "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x0a\x0d\x0d\x0a", "SQLite format 3",
		"RIFF", "7z\xbc\xaf", "\xd0\xcf\x11\xe0", "@echo off", "import ", "from __",
		"use strict", "# -*- coding", "\"\"\"", "package main", "<?php", "diff --git ",
		"From: ", "<!DOCTYPE html", "<!doctype html", "<html", "<svg", "-----BEGIN CERTIFICATE"} {
		if bytes.HasPrefix(text, []byte(magic)) {
			return true
		}
	}
	first, _, _ := bytes.Cut(text[:min(len(text), 80)], []byte("\n"))
	return bytes.HasPrefix(first, []byte("#!/")) && !bytes.Contains(first, []byte("clish"))
}

// The numbers of lines that are looked at, and of those from which on they tell something.
const (
	contentLines = 200 // of a text that may be a log or notes
	commandLines = 3   // commands that are shown, each with what it printed
)

// techSupport reports whether a text is what several commands printed, each under its name between
// dashes, equals signs or backquotes.
func techSupport(text []byte) bool {
	commands := 0
	for line := range bytes.Lines(text[:min(len(text), headBytes)]) {
		line = bytes.TrimSpace(line)
		command := bytes.Trim(line, "-=*` ")
		if len(line)-len(command) < 2 || bytes.IndexByte([]byte("-=*`"), line[0]) < 0 {
			continue
		}
		if bytes.HasPrefix(command, []byte("show ")) ||
			bytes.HasPrefix(command, []byte("display ")) {
			commands++
		}
	}
	return commands >= commandLines
}

// logged reports whether most lines of a text begin with a time, as those of a log do.
func logged(text []byte) bool {
	lines, timed := 0, 0
	for line := range bytes.Lines(text) {
		if line = bytes.TrimLeft(bytes.TrimSpace(line), "*.:"); len(line) == 0 {
			continue
		}
		if lines++; begunWithTime(line) {
			timed++
		}
		if lines == contentLines {
			break
		}
	}
	return timed > 1 && 2*timed > lines
}

// begunWithTime reports whether a line begins as "Nov 23 05:15:00", "2026-11-23", "[2026-11-23",
// "<134>Nov 23" or "000123: Nov 23" do.
func begunWithTime(line []byte) bool {
	if line[0] == '<' || digits(line[:1]) {
		if head, v, ok := bytes.Cut(line[:min(len(line), 12)], []byte(">")); ok &&
			digits(head[1:]) {
			return len(v) > 0
		}
		if head, _, ok := bytes.Cut(line[:min(len(line), 12)], []byte(": ")); ok && digits(head) {
			line = bytes.TrimLeft(line[len(head)+2:], "*.")
		}
	}
	line = bytes.TrimPrefix(line, []byte("["))
	if len(line) < 10 {
		return false
	}
	if digits(line[:4]) && (line[4] == '-' || line[4] == '/') && digits(line[5:7]) {
		return true
	}
	day := bytes.TrimLeft(line[3:6], " ")
	return bytes.Contains([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), line[:3]) &&
		line[3] == ' ' && digits(bytes.TrimRight(day, " "))
}

// noted reports whether a text begins as a list of things to do.
func noted(text []byte) bool {
	first, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	first = bytes.ToLower(bytes.TrimLeft(first[:min(len(first), 40)], "#*- "))
	for _, begin := range []string{"[ ]", "[x]", "todo", "to do", "to-do", "notes"} {
		if bytes.HasPrefix(first, []byte(begin)) {
			return true
		}
	}
	return false
}
