# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion of v2v.  The program itself says what it takes, so this
# knows no command and no option by name, only a few kinds of arguments.

_v2v () {
    local cur prev words cword i verbs cmd=
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n = cur prev words cword
    else
        words=("${COMP_WORDS[@]}")
        cword=$COMP_CWORD
        cur=${words[cword]}
        prev=${words[cword-1]}
    fi
    COMPREPLY=()

    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            -*) ;;
            *) cmd=${words[i]}; break ;;
        esac
    done
    if [ -z "$cmd" ]; then
        case $cur in
            -*) COMPREPLY=($(compgen -W "$(v2v --long-options 2>/dev/null)" -- "$cur")) ;;
            *) COMPREPLY=($(compgen -W "$(v2v --commands 2>/dev/null)" -- "$cur")) ;;
        esac
        return
    fi

    # A command of several verbs: the verb follows it.
    verbs=$(v2v "$cmd" --verbs 2>/dev/null)
    if [ -n "$verbs" ]; then
        if [ "$cword" = $((i + 1)) ]; then
            case $cur in
                -*) COMPREPLY=($(compgen -W "--help --version" -- "$cur")) ;;
                *) COMPREPLY=($(compgen -W "$verbs" -- "$cur")) ;;
            esac
            return
        fi
        cmd="$cmd ${words[i+1]}"
    fi

    # The argument of an option: "--opt=CUR" and "--opt CUR" alike.
    case $cur in
        --*=*) prev=${cur%%=*}; cur=${cur#*=} ;;
    esac
    case $prev in
        --progress) COMPREPLY=($(compgen -W "auto bar json none" -- "$cur")); return ;;
        --manifest) COMPREPLY=($(compgen -W "strict warn off" -- "$cur")); return ;;
        --disk-format) COMPREPLY=($(compgen -W "vhdx vhd" -- "$cur")); return ;;
        --generation) COMPREPLY=($(compgen -W "1 2" -- "$cur")); return ;;
        --size-policy) COMPREPLY=($(compgen -W "exact chs mib" -- "$cur")); return ;;
        --sector-size) COMPREPLY=($(compgen -W "512 4096" -- "$cur")); return ;;
        --subformat) COMPREPLY=($(compgen -W "fixed dynamic differencing sparse stream" -- "$cur")); return ;;
        --format|--other-format)
            COMPREPLY=($(compgen -W "$(v2v --machine-readable 2>/dev/null | sed -n 's/^input://p')" -- "$cur")); return ;;
        -O|--output-format)
            COMPREPLY=($(compgen -W "$(v2v --machine-readable 2>/dev/null | sed -n 's/^output://p')" -- "$cur")); return ;;
        -o|--output|--search)
            compopt -o filenames 2>/dev/null
            COMPREPLY=($(compgen -d -- "$cur")); return ;;
    esac
    case $cur in
        -*)
            compopt -o nospace 2>/dev/null
            COMPREPLY=($(compgen -W "$(v2v $cmd --long-options 2>/dev/null)" -- "$cur"))
            # An option without an argument is complete: a blank after it.
            if [ ${#COMPREPLY[@]} = 1 ]; then
                case ${COMPREPLY[0]} in
                    *=) ;;
                    *) compopt +o nospace 2>/dev/null ;;
                esac
            fi ;;
        *)
            if [ "$cmd" = completion ]; then
                COMPREPLY=($(compgen -W bash -- "$cur"))
            else
                compopt -o filenames 2>/dev/null
                COMPREPLY=($(compgen -f -- "$cur"))
            fi ;;
    esac
}
complete -F _v2v v2v
