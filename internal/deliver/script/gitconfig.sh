# The marked block in the user's git configuration; every other line stays.

# read_gitconfig sets text to the file "real", there if it is, and kept to the text
# without our block; flag says what else has to go with the block. The file is read
# once, since it may become another one at any moment.
read_gitconfig() {
	text='' kept='' flag='' inside='' since='' there=''
	[ -e "$real" ] || return 0
	[ -f "$real" ] || fail git_config_not_a_file
	text=$({ tr '\000' '\001' <"$real" && echo .; } 2>/dev/null)
	if [ "$text" = "${text%.}" ]; then
		[ -e "$real" ] || return 0
		fail git_config_not_writable
	fi
	text=${text%.} there=yes
	case $text in *"$nul"*) [ "$(tr -dc '\000' <"$real" | wc -c)" -eq 0 ] || fail git_config_damaged ;; esac
	case $text in
	*"$nl"*)
		while IFS= read -r line; do
			keep "$line" "$nl"
		done <<-END
			${text%"$nl"*}
		END
		;;
	esac
	line=${text##*"$nl"}
	if [ -n "$line" ]; then keep "$line" ''; fi
	if [ "$flag" = newline ] && [ -z "$since" ]; then kept=${kept%"$nl"}; fi
}

# keep LINE ENDING adds the line to kept unless it is ours. What the user or
# git put between our lines stays, under a header of its own. inside is "block"
# between our lines, and "kept" there once such a header was written.
keep() {
	case $inside:${1%"$cr"} in
	:'# >>> ghscoped >>>'* | block:'# >>> ghscoped >>>'* | kept:'# >>> ghscoped >>>'*)
		inside=block since=''
		case $1 in
		*"$with_newline"*) flag='newline' ;;
		*"$with_file"*) flag='file' ;;
		esac
		return
		;;
	:*) ;;
	block:"$end" | kept:"$end")
		inside=''
		return
		;;
	'block:[include]' | block:*'path = "'*'/ghscoped/gitconfig"' | kept:*'path = "'*'/ghscoped/gitconfig"') return ;;
	block:'['* | kept:'['*) inside='' ;;
	block:*)
		inside=kept
		kept="${kept}[include]$nl"
		;;
	esac
	kept=$kept$1$2 since=yes
}

# choose_gitconfig sets gitconfig to the file that git itself would write to or,
# where that cannot be written, to the other one of the two that git reads.
choose_gitconfig() {
	if [ -n "${GIT_CONFIG_GLOBAL+set}" ]; then
		[ -n "$GIT_CONFIG_GLOBAL" ] || fail git_config_off
		gitconfig=$GIT_CONFIG_GLOBAL
	else
		gitconfig=$HOME/.gitconfig other=$xdg_gitconfig
		if [ ! -e "$gitconfig" ] && [ ! -h "$gitconfig" ] && [ -e "$other" ]; then
			gitconfig=$other other=$HOME/.gitconfig
		fi
		# git would wait for a pipe, whatever it is asked.
		if [ -p "$gitconfig" ] || [ -p "$other" ]; then fail git_config_not_a_file; fi
		if ! replaceable "$gitconfig" && replaceable "$other"; then
			gitconfig=$other
			make_folder "${other%/*}"
		fi
	fi
	follow "$gitconfig" || fail git_config_not_writable
	case $real in
	/*) [ -d "${real%/*}/" ] || fail git_config_not_writable ;;
	*) fail git_config_not_writable ;;
	esac
	gitconfig=$real
}

# replaceable FILE: git could replace it; its folder may be yet to be made. Links in
# a circle count as well: git reads nothing at all where they are, and so another
# file would not help.
replaceable() {
	follow "$1" || return 0
	level=${real%/*}
	[ -e "$level" ] || level=${level%/*}
	[ -d "$level/" ] && [ -w "$level/" ] && { [ ! -e "$real" ] || owned "$real"; } && ! mounted "$real"
}

# mounted FILE: something is mounted there, as a cluster mounts one file of a
# ConfigMap; nothing can be renamed onto it then.
mounted() {
	[ -e "$1" ] || return 1
	while read -r _ _ _ _ point _; do
		case $point in */"${1##*/}") if same_file "$point" "$1"; then return 0; fi ;; esac
	done </proc/self/mountinfo
	return 1
} 2>/dev/null

# lock takes the lock that git takes before it changes "real", for which git itself
# does not wait. It says who holds it. A lock of a run that is over is removed: only
# whoever has the turn does so, and nobody else takes a lock that is there. Any other
# may be that of a git that runs, so it stays.
lock() {
	lock=$real.lock waited=0 seen=''
	until trouble=$(hold 2>&1); do
		case $trouble in *"ile exists"* | *"existing file"*) ;; *) fail "$(cause "$trouble")" ;; esac
		find_holder
		if [ -n "$holder" ] && { ended "$holder" || [ "$waited" -ge 50 ]; }; then
			attempt rm -f "$lock"
			continue
		fi
		[ "$waited" -lt 50 ] || fail git_config_busy
		[ "$holder" = "$seen" ] || waited=0
		seen=$holder
		pause
	done
}

hold() {
	if [ -e "$lock" ] || [ -h "$lock" ]; then
		echo 'File exists'
		return 1
	fi
	set -C
	exec >"$lock" || exit
	printf '%s\n' "$held_by$new" '# If nothing sets git up at this moment, remove this file.' || {
		rm -f "$lock"
		exit 1
	}
}

# find_holder sets holder to the run of ours that holds the lock, if it is one.
find_holder() {
	holder=''
	if [ -h "$lock" ] || [ ! -f "$lock" ] || [ ! -r "$lock" ]; then return; fi
	line=''
	{ IFS= read -r line <"$lock"; } 2>/dev/null
	case $line in "$held_by"*) holder=${line#"$held_by"} ;; esac
}

unlock() {
	[ -n "$lock" ] || return 0
	find_holder
	if [ "$holder" = "$new" ]; then rm -f "$lock"; fi
	lock=''
} 2>/dev/null

# prepare EDIT sets wanted to what EDIT makes of the file "real", and changed where
# that is something else. It is written in a new folder beside the file.
prepare() {
	read_gitconfig
	wanted='' whole='' changed=''
	"$1"
	[ "$wanted" != "$text" ] || return 0
	changed=yes
	if [ -z "$whole" ]; then stage_gitconfig; fi
}

# stage_gitconfig prepares "real" to become wanted, its mode kept.
stage_gitconfig() {
	go "${real%/*}/"
	enter plain
	name=${real##*/}
	attempt rm -f "ghscoped-new.$name"
	if [ -n "$there" ]; then
		owned "../$name" || fail git_config_not_writable
		attempt cp -p "../$name" "ghscoped-new.$name"
	else
		umask "$user_umask"
		attempt write "ghscoped-new.$name" ''
		umask 077
	fi
	protected=''
	[ -w "ghscoped-new.$name" ] || protected=yes
	if [ -n "$protected" ]; then attempt chmod u+w "ghscoped-new.$name"; fi
	attempt write "ghscoped-new.$name" "$wanted"
	same "ghscoped-new.$name" "$wanted" || fail git_config_busy
	if [ -n "$protected" ]; then attempt chmod u-w "ghscoped-new.$name"; fi
}

# apply EDIT puts in place what prepare has made, and makes it again where somebody
# has changed the file since. git cannot do anything here meanwhile, so it is short.
apply() {
	if [ -z "$changed" ]; then
		lock=$real.lock
		find_holder
		lock=''
		[ -n "$holder" ] || return 0 # else a run was killed that had changed it
	fi
	lock
	unchanged || prepare "$1" # for the last time, since git cannot change it now
	if [ -n "$whole" ]; then
		go "${real%/*}/"
		attempt rm -f "./${real##*/}"
	elif [ -n "$changed" ]; then
		go "${real%/*}/$new"
		owned . || fail "$(cause "o such file")"
		attempt mv -f "ghscoped-new.${real##*/}" "../${real##*/}"
	fi
	placed=$nl made=''
	unlock
	if [ -n "$whole" ]; then drop_git_folder; fi
}

# drop_git_folder removes ~/.config/git, if that is where the file was and nothing
# else is in there.
drop_git_folder() {
	case $real in */git/config) rmdir "${real%/*}" ;; esac
} 2>/dev/null

unchanged() {
	if [ -z "$there" ]; then
		[ ! -e "$real" ]
	else
		[ -f "$real" ] && same "$real" "$text"
	fi
}

# with_block has our block at the end.
with_block() {
	note='' ending=''
	if [ -z "$there" ] || { [ "$flag" = file ] && [ -z "$kept" ]; }; then
		note=$with_file
	elif [ -n "$kept" ] && [ "${kept%"$nl"}" = "$kept" ]; then
		note=$with_newline ending=$nl
	fi
	for_git "$top/gitconfig"
	wanted="$kept$ending$begin$note${nl}[include]$nl${tab}path = $quoted$nl$end$nl"
}

# without_block has none; a file made for it goes whole.
without_block() {
	wanted=$kept
	if [ -z "$kept" ] && [ "$flag" = file ]; then whole=yes; fi
}

# drop_blocks KEEP takes our block out of every file git reads, KEEP excepted.
drop_blocks() {
	doing=git
	for file in "$HOME/.gitconfig" "$xdg_gitconfig" "$env_gitconfig"; do
		case $file in
		/*)
			if follow "$file" && [ "$real" != "$1" ] && { [ -f "$real" ] || [ ! -e "$real" ]; }; then
				prepare without_block
				apply without_block
			fi
			;;
		esac
	done
	doing=home
}
