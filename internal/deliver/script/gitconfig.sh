# The marked block in the user's git configuration; every other line stays.

# read_gitconfig sets text to the file "real" and kept to the same without our
# block; flag says what else has to go with the block.
read_gitconfig() {
	text='' kept='' flag='' inside='' since=''
	[ -e "$real" ] || return 0
	if [ ! -f "$real" ] || [ ! -r "$real" ]; then fail git_config_not_writable; fi
	[ "$(tr -d '\000' <"$real" | wc -c)" -eq "$(wc -c <"$real")" ] || fail git_config_damaged
	text=$(cat "$real" && echo .)
	text=${text%.}
	while IFS= read -r line; do
		keep "$line" "$nl"
	done <"$real"
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

# choose_gitconfig sets gitconfig to the file that git itself would write to.
choose_gitconfig() {
	if [ -n "${GIT_CONFIG_GLOBAL+set}" ]; then
		gitconfig=$GIT_CONFIG_GLOBAL
	elif [ -e "$HOME/.gitconfig" ] || [ -h "$HOME/.gitconfig" ] || [ ! -e "$xdg_gitconfig" ]; then
		gitconfig=$HOME/.gitconfig
	else
		gitconfig=$xdg_gitconfig
	fi
	follow "$gitconfig" || fail git_config_not_writable
	case $real in
	/*) [ -d "${real%/*}/" ] || fail git_config_not_writable ;;
	*) fail git_config_not_writable ;;
	esac
	gitconfig=$real
}

# stage_gitconfig TEXT prepares "real" to become TEXT, its mode kept.
stage_gitconfig() {
	go "${real%/*}/"
	enter plain
	name=${real##*/}
	if [ -e "../$name" ]; then
		owned "../$name" || fail git_config_not_writable
		attempt cp -p "../$name" "ghscoped-new.$name"
	else
		umask "$user_umask"
		attempt write "ghscoped-new.$name" ''
		umask 077
	fi
	attempt write "ghscoped-new.$name" "$1"
	same "ghscoped-new.$name" "$1" || fail git_config_busy
}

add_block() {
	doing=git
	real=$gitconfig
	read_gitconfig
	note='' ending=''
	if [ ! -e "$real" ] || { [ "$flag" = file ] && [ -z "$kept" ]; }; then
		note=$with_file
	elif [ -n "$kept" ] && [ "${kept%"$nl"}" = "$kept" ]; then
		note=$with_newline ending=$nl
	fi
	for_git "$folder/gitconfig"
	wanted="$kept$ending$begin$note${nl}[include]$nl${tab}path = $quoted$nl$end$nl"
	if [ "$wanted" != "$text" ]; then
		before=$text
		stage_gitconfig "$wanted"
		staged=$staged$real$nl
	fi
	doing=home
}

# commit_block puts the new file in place unless somebody else has changed the
# old one meanwhile.
commit_block() {
	case $staged in *"$nl$gitconfig$nl"*) ;; *) return ;; esac
	doing=git
	if [ -e "$gitconfig" ]; then same "$gitconfig" "$before" || fail git_config_busy; fi
	commit "$gitconfig"
	doing=home
}

# drop_block takes our block out of "real"; a file made for it goes whole.
drop_block() {
	[ -e "$real" ] || return 0
	read_gitconfig
	[ "$kept" != "$text" ] || return 0
	if [ -z "$kept" ] && [ "$flag" = file ]; then
		go "${real%/*}/"
		same "./${real##*/}" "$text" || fail git_config_busy
		attempt rm -f "./${real##*/}"
		return
	fi
	stage_gitconfig "$kept"
	put "$real"
}

# drop_blocks KEEP takes our block out of every file git reads, KEEP excepted.
drop_blocks() {
	doing=git
	for file in "$HOME/.gitconfig" "$xdg_gitconfig" "$env_gitconfig"; do
		case $file in /*) if follow "$file" && [ "$real" != "$1" ]; then drop_block; fi ;; esac
	done
	doing=home
}
