# The three actions.

deliver() {
	find_places
	wait_for_turn
	look_around
	choose_gitconfig
	open_folder
	stage "$folder/git-credential-ghscoped" "$helper"
	fragment_text
	stage "$folder/gitconfig" "$text"
	if [ "$credential" != "$folder/${credential##*/}" ]; then
		make_folder "${credential%/*}"
		go "${credential%/*}/"
		enter guarded
	fi
	credential_text
	stage "$credential" "$text"
	private "$credential"
	stage_list "$place"
	if [ -n "$gh_user" ]; then stage_gh; else drop_gh; fi
	real=$gitconfig doing=git
	prepare with_block
	doing=home
	commit "$top/.gitignore"
	commit "$gh"
	commit "$folder/git-credential-ghscoped"
	commit "$credential"
	drop_former
	commit "$folder/gitconfig"
	commit "$top/gitconfig"
	real=$gitconfig doing=git
	apply with_block
	placed=$nl made='' doing=home
	drop_blocks "$gitconfig"
	# Where the deployer chose another place since, and nothing tells of it:
	if [ "$credential" != "$folder/credential" ]; then drop_credential "$folder/credential"; fi
	drop_former_release
	if helper_behind; then remark=helper_copies; fi
	leave
}

# stage_list PLACE prepares what all hosts have in common.
stage_list() {
	reach "$top"
	enter plain
	stage "$top/.gitignore" "$ignore"
	list_text "$1"
	stage "$top/gitconfig" "$text"
}

remove() {
	find_places
	if [ ! -h "$top" ] && [ -d "$top" ] && owned "$top"; then wait_for_turn; fi
	look_around
	drop_gh
	drop_credential "$credential"
	drop_former
	drop_folder
	drop_former_release
	find_hosts ''
	if [ -n "$hosts" ]; then
		stage_list ''
		commit "$top/gitconfig"
		placed=$nl
	else
		drop_blocks ''
	fi
	erase_copies
	drop_top
	leave
	rmdir "$top" 2>/dev/null
}

# expire takes the credential out and leaves the rest, so that git's helper can say
# where to connect again.
expire() {
	find_places
	if [ -h "$top" ] || [ ! -d "$top" ] || ! owned "$top"; then return; fi
	wait_for_turn
	look_around
	drop_gh
	drop_credential "$credential"
	drop_former
	erase_copies
	leave
}

shell=$0
trap 'fail interrupted' HUP INT TERM
# A printf that is a program would show the token to whoever lists processes.
[ "$(command -v printf)" = printf ] || fail no_shell
if [ -t 0 ]; then
	# A read that waits longer than 20 s ends, so that a script whose service
	# went away does not wait for ever. Without line mode a line may be longer
	# than the 4096 bytes a terminal otherwise takes.
	stty -echo -icanon min 0 time 200 2>/dev/null || fail no_stty
fi
remark=''
listen
"$action"
say "done $remark"
