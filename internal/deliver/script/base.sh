# What runs in the user's server: puts the credential there, or takes it away.
#
# The service puts assignments in front of this text: action (deliver, expire, remove),
# mark_a and mark_b, unique (a random word), protocol, host, place (the host as the
# name of a folder), credential_path, helper, git_username, identity_name,
# identity_email, rewrite_ssh, gh_user. The credential itself comes on standard input,
# after this side has switched echo off and said "ready", with the server's own Hub
# token. Each answer is one line that begins with both halves of the mark joined; only
# the halves are in this text, so a terminal that echoes it cannot be taken for the
# answer.
#
# Everything that can fail is first written in a new folder beside the real files,
# which only this run can write in; then the files are renamed. Killed anywhere,
# each file is the old or the new.
#
# Others may be able to change the folders on the way, say in a home that its
# group can write. So the script goes into a folder, looks at where it is, and
# from then on uses only names that begin there.

# Nothing that is read may leave through the environment or a trace.
set +aefuvxC
unset line username password expiry text known CDPATH
LC_ALL=C
export LC_ALL
user_umask=$(umask)
umask 077

nl='
'
tab='	'
cr=$(printf '\r')
nul=$(printf '\001') # which a NUL becomes where it is read
begin='# >>> ghscoped >>> added by your JupyterHub, removed when you disconnect GitHub'
with_newline=' (with the newline before it)'
with_file=' (with this file)'
end='# <<< ghscoped <<<'
ignore="# Written by your JupyterHub's GitHub connection: what is here is no part of a repository.$nl*$nl"
held_by='# The lock of ghscoped '
folder='' gitconfig='' made='' placed=$nl staged=$nl entered=$nl turn='' lock='' doing=home

# Everything that is new is first in a folder of this name, which says whose it is:
# the number of a process means something only in its own container, so the name has
# that too.
machine=unknown
if { read -r boot </proc/sys/kernel/random/boot_id && container=$(readlink /proc/self/ns/pid); } 2>/dev/null; then
	container=${container#*"["}
	machine=${container%"]"}-$boot
fi
new=.ghscoped-new.$unique.$$.$machine

say() { printf 'ghscoped %s%s %s\n' "$mark_a" "$mark_b" "$*"; }

# fail CODE undoes what this run began, says why, and ends.
fail() {
	trap '' HUP INT TERM
	clean
	say error "$1"
	exit 1
}

# clean undoes what this run has put in place, unless another one has found it too
# slow and has taken over.
clean() {
	unlock
	if [ -z "$turn" ] || [ -d "$top/$new" ]; then
		while [ "$placed" != "$nl" ]; do
			placed=${placed#"$nl"}
			file=${placed%%"$nl"*}
			placed=$nl${placed#*"$nl"}
			if cd -P -- "${file%/*}" && [ "$PWD" = "${file%/*}" ]; then rm -f "./${file##*/}"; fi
		done
	fi
	leave
	while [ -n "$made" ]; do
		rmdir "${made%%"$nl"*}"
		made=${made#*"$nl"}
	done
} 2>/dev/null

# leave removes this run's folders for new files, at last the one in our folder, for
# which the next run waits.
leave() {
	while [ "$entered" != "$nl" ]; do
		entered=${entered#"$nl"}
		discard "${entered%%"$nl"*}/$new"
		entered=$nl${entered#*"$nl"}
	done
} 2>/dev/null

# clear_leftovers removes the folders for new files of killed runs.
clear_leftovers() {
	for file in "$top/." "$folder/." "$credential" "$former" "$gh" \
		"$HOME/.gitconfig" "$xdg_gitconfig" "$env_gitconfig" "$gitconfig"; do
		case $file in /*) if follow "$file"; then sweep "${real%/*}"; fi ;; esac
	done
} 2>/dev/null

# sweep FOLDER: only in our own folder may one be of a run that waits; what else is
# called so was left by one that is over.
sweep() {
	for left in "$1"/.ghscoped-new.*; do
		if [ "${left##*/}" = "$new" ] || { same_file "$1" "$top" && ! ended "${left##*/}"; }; then continue; fi
		discard "$left"
	done
}

# discard FOLDER: what is called like a folder of ours may be somebody else's, or a
# link; from wherever it leads to, only what is called like a new file is removed.
discard() {
	if [ -h "$1" ] || [ ! -d "$1" ] || ! owned "$1"; then return; fi
	(cd -P -- "$1" && owned . && rm -f ./ghscoped-new.*)
	rmdir "$1/ghscoped-new.probe" "$1"
} 2>/dev/null

# ended NAME: the run whose folder for new files has this name is over, as far as can
# be known here. Runs of the former release had no machine in it.
ended() {
	case $1 in
	*".$machine")
		[ "$machine" != unknown ] || return 1
		process=${1%".$machine"}
		! kill -0 "${process##*.}" 2>/dev/null
		;;
	.ghscoped-new.*.*.*) return 1 ;;
	esac
}

# pause waits for a tenth of a second, or one where sleep knows no less; waited
# counts the tenths.
pause() {
	if sleep 0.1 2>/dev/null; then
		waited=$((waited + 1))
	else
		sleep 1
		waited=$((waited + 10))
	fi
}

# attempt COMMAND… runs it and, where it fails, ends with the cause.
attempt() {
	trouble=$("$@" 2>&1) || fail "$(cause "$trouble")"
}

cause() {
	case $1 in
	*"No space left"*) echo disk_full ;;
	*"uota exceeded"*) echo quota ;;
	*"Read-only file system"*) [ "$doing" = home ] && echo read_only_home || echo git_config_not_writable ;;
	*"ermission denied"* | *"not permitted"* | *" busy"*)
		if [ "$doing" != home ]; then
			echo git_config_not_writable
		elif owned "$HOME"; then
			echo permission_denied
		else
			echo home_not_owned
		fi
		;;
	*"o such file"*) [ "$doing" = home ] && echo write_failed || echo git_config_busy ;;
	*) [ "$doing" = home ] && echo write_failed || echo git_config_not_writable ;;
	esac
}

# shellcheck disable=SC3067 # -O is not in POSIX, but in dash, ash, bash, ksh93, mksh and zsh.
owned() { [ -O "$1" ]; }

# shellcheck disable=SC3013 # -ef is in POSIX since 2024, and in those for longer.
same_file() { [ "$1" -ef "$2" ]; }

# replace TEXT OLD NEW sets replaced to TEXT with each OLD changed to NEW.
replace() {
	replaced='' remaining=$1
	while :; do
		case $remaining in
		*"$2"*) ;;
		*) break ;;
		esac
		replaced=$replaced${remaining%%"$2"*}$3
		remaining=${remaining#*"$2"}
	done
	replaced=$replaced$remaining
}

# for_sh sets quoted to $1 as one word of the shell.
for_sh() {
	replace "$1" "'" "'\\''"
	quoted="'$replaced'"
}

# for_git sets quoted to $1 as one value of a git configuration file.
for_git() {
	replace "$1" "\\" "\\\\"
	replace "$replaced" '"' '\"'
	quoted="\"$replaced\""
}

# from_git sets replaced to the value that for_git made $1 of.
from_git() {
	replace "$1" "\\\\" "$nl"
	replace "$replaced" '\"' '"'
	replace "$replaced" "$nl" "\\"
}

# go FOLDER makes it the one we are in; the shell sets PWD to its name without
# links.
go() { cd -P -- "$1" 2>/dev/null || fail "$(cause "o such file")"; }

# enter KIND goes from a folder into a new one within it, which is this run's
# alone, and looks whether it is. For a "private" file the file system has to
# keep modes; for a "guarded" one nobody else may write in the folder either, or
# swap one of those above it.
enter() {
	case $entered in
	*"$nl$PWD$nl"*) ;;
	*)
		attempt mkdir -m 700 "$new"
		entered=$nl$PWD$entered
		;;
	esac
	go "$new"
	owned . || fail "$(cause "o such file")"
	levels='' reach=''
	if [ "$1" = guarded ]; then find_levels; fi
	# shellcheck disable=SC2086 # the names of the levels are ".." and "/" only
	listing=$(ls -ldn . $levels 2>/dev/null) || fail "$(cause "o such file")"
	at=new
	while read -r mode _ uid _; do
		case $at in
		new)
			check_new "$1"
			user=$uid at=folder
			;;
		folder)
			case $mode in d????-??-*) ;; *) fail shared_folder ;; esac
			[ "$uid" = "$user" ] || fail foreign_owner
			at=above
			;;
		above)
			[ "$uid" = "$user" ] || [ "$uid" = 0 ] || fail foreign_owner
			case $reach$mode in home????????-* | d????-??-* | *d????????[tT]*) ;; *) fail shared_folder ;; esac
			;;
		esac
	done <<-END
		$listing
	END
}

# find_levels sets levels to the folder around the one that we are in and to
# those above it: below the home, or else up to the root. In the home a folder
# may be one that its group can write, since a group of the user alone cannot be
# told from another, and whoever can write in the home has better ways. Elsewhere
# it may be so only where nobody can rename what others made.
find_levels() {
	levels=.. level=..
	until same_file "$level" "$HOME" || same_file "$level" /; do
		level=$level/..
		[ -d "$level" ] || fail write_failed
		levels="$levels $level"
	done
	if [ "$levels" != .. ] && same_file "$level" "$HOME"; then levels=${levels% *} reach=home; fi
}

# check_new KIND: in the folder that we have made nobody else can write, unless it
# is another one by now. Where the file system has no modes, one made just now
# looks alike.
check_new() {
	case $1:$mode in
	*:drwx--[-S]--[-T]*) return ;;
	plain:*) ;;
	*) fail not_private ;;
	esac
	attempt mkdir -m 700 ghscoped-new.probe
	case $(ls -ld ghscoped-new.probe) in drwx--[-S]--[-T]*) fail "$(cause "o such file")" ;; esac
	attempt rmdir ghscoped-new.probe
}

write() { printf '%s' "$2" | cat >"$1"; }

# stage PATH TEXT prepares PATH, whose folder has been entered, to become TEXT,
# for its owner alone; where it is that already, only its mode may have to change.
stage() {
	name=${1##*/}
	usable "../$name"
	if [ -f "../$name" ] && same "../$name" "$2"; then
		attempt chmod 600 "../$name"
		return
	fi
	attempt write "ghscoped-new.$name" "$2"
	same "ghscoped-new.$name" "$2" || fail write_failed
	staged=$staged$1$nl
}

# usable FILE: a link or somebody else's file there would carry the credential
# to where it does not belong.
usable() {
	[ ! -h "$1" ] || fail symlink_refused
	[ -e "$1" ] || return 0
	owned "$1" || fail foreign_owner
	[ -f "$1" ] || fail not_a_file
}

# private PATH: what stage made of PATH can be read by nobody else.
private() {
	file=../${1##*/}
	if [ -f "ghscoped-new.${1##*/}" ]; then file=ghscoped-new.${1##*/}; fi
	case $(ls -ld "$file" 2>/dev/null) in
	-rw-------* | '') ;; # or another delivery has cleared it away, as commit finds
	*) fail not_private ;;
	esac
}

same() { [ "$(cat "$1" 2>/dev/null && echo .)" = "$2." ]; }

# commit PATH puts in place what was staged for PATH, if anything was.
commit() {
	case $staged in *"$nl$1$nl"*) put "$1" ;; esac
}

# put PATH: wherever the way to PATH leads by now, the new file is only where this
# run has written it.
put() {
	go "${1%/*}/$new"
	owned . || fail "$(cause "o such file")"
	[ -e "../${1##*/}" ] || placed=$placed${PWD%/*}/${1##*/}$nl
	attempt mv -f "ghscoped-new.${1##*/}" "../${1##*/}"
}

# follow FILE sets real to what FILE is, through links, of which git follows five
# before it writes.
follow() {
	real=$1 hops=0
	while [ -h "$real" ]; do
		link=$(readlink "$real") && hops=$((hops + 1)) && [ "$hops" -le 5 ] || return 1
		case $link in
		/*) real=$link ;;
		*) real=${real%/*}/$link ;;
		esac
	done
}
