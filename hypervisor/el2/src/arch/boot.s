// The boot page. Registers that live through the stub:
//   x19 the firmware's x0 (device tree)   x20 where the image lies   x21 the boot block   x22 table root
//   x23 this core's index                 x24 the Rust function to enter   x25 whether an exception is being reported

    .section .boot, "ax"
    .global image_start
    .global boot_secondary
    .global boot_refuse_unreadable

// arm64 Image header (Linux, Documentation/arch/arm64/booting.rst). The compiler fills in text_offset, image_size
// and flags, which depend on the board and on the payloads.
image_start:
    b       boot_primary
    .word   0                       // code1
    .quad   0                       // text_offset
    .quad   0                       // image_size
    .quad   0                       // flags
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .word   0
boot_block:
    .space  {BLOCK_BYTES}           // filled in by the compiler

// Firmware's entry: EL2, MMU and caches on (with VA == PA) or off, x0 = device tree or anything.
boot_primary:
    msr     daifset, #0xf
    mov     x19, x0
    adr     x20, image_start
    adr     x21, boot_block
    mrs     x0, CurrentEL
    cmp     x0, #(2 << 2)
    b.hi    boot_refuse_el3
    b.lo    boot_refuse_el1
    bl      boot_set_vectors
    tst     x20, #0xfff             // the moves below rely on whole pages
    b.ne    boot_refuse_alignment

    mov     x0, x21
    mov     x1, #{BLOCK_COVERED}
    bl      boot_seal
    ldr     x1, [x21, #{BLOCK_SEAL}]
    cmp     x0, x1
    b.ne    boot_refuse_block
    ldr     x0, [x21, #{BLOCK_MAGIC}]
    ldr     x1, boot_magic
    cmp     x0, x1
    b.ne    boot_refuse_block
    ldr     x0, [x21, #{BLOCK_VERSION}]
    cmp     x0, #{VERSION}
    b.ne    boot_refuse_version

    // Firmware that hands over with its cache off has cleaned the image to the PoC (booting.rst); one that leaves it on
    // (U-Boot `go`) has not. No line gets dirty in between: nothing is written here.
    mrs     x0, sctlr_el2
    mov     x1, #{SCTLR_CACHED}
    tst     x0, x1
    b.eq    1f
    mov     x0, x20
    ldr     x1, [x21, #{BLOCK_IMAGE_BYTES}]
    bl      boot_clean
    mrs     x0, sctlr_el2
    mov     x1, #{SCTLR_CACHED}
    bic     x0, x0, x1
    msr     sctlr_el2, x0
    isb
1:  bl      boot_reset_translation

    ldr     x22, [x21, #{BLOCK_LOAD}]
    cmp     x20, x22
    b.eq    boot_in_place

// Elsewhere than its place: x20 -> x22. The ranges may overlap, and this code lies in the source.
    mov     x0, x22                 // nobody's dirty line may come down on the copy
    ldr     x1, [x21, #{BLOCK_IMAGE_BYTES}]
    bl      boot_clean
    ldr     x3, [x21, #{BLOCK_IMAGE_BYTES}]
    add     x2, x20, x3             // the source's end
    cmp     x20, x22
    b.lo    boot_move_up

// Down: this page first, and the rest, ascending, from the copy of it, which no later write reaches.
    mov     x0, x20
    mov     x1, x22
    add     x4, x20, #0x1000
1:  ldp     x5, x6, [x0], #16
    stp     x5, x6, [x1], #16
    cmp     x0, x4
    b.lo    1b
    adr     x4, 2f
    sub     x4, x4, x20
    add     x4, x4, x22
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    br      x4
2:  cmp     x0, x2
    b.hs    boot_moved
    ldp     x5, x6, [x0], #16
    stp     x5, x6, [x1], #16
    b       2b

// Up: descending; the source's first page lies below the whole target and so survives.
boot_move_up:
    add     x1, x22, x3
1:  ldp     x5, x6, [x2, #-16]!
    stp     x5, x6, [x1, #-16]!
    cmp     x2, x20
    b.hi    1b
    adr     x4, boot_moved
    sub     x4, x4, x20
    add     x4, x4, x22
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    br      x4

boot_moved:                         // runs in the target; a line fetched there before the copy is stale
    mov     x20, x22
    adr     x21, boot_block
    bl      boot_set_vectors
    mov     x0, x22
    ldr     x1, [x21, #{BLOCK_IMAGE_BYTES}]
    bl      boot_clean
    ic      iallu
    dsb     sy
    isb

boot_in_place:
    ldr     x0, [x21, #{BLOCK_PLAN}]
    ldr     x1, [x21, #{BLOCK_SEALED_BYTES}]
    bl      boot_seal
    ldr     x1, [x21, #{BLOCK_SEALED}]
    cmp     x0, x1
    b.ne    boot_refuse_plan
    bl      boot_find_core
    b.hs    boot_refuse_core
    ldr     x22, [x21, #{BLOCK_BOOT_ROOT}]
    ldr     x24, boot_rust_primary
    b       boot_enter

// A secondary core's entry, by spin table or PSCI: EL2, MMU and caches off, nothing in registers.
boot_secondary:
    msr     daifset, #0xf
    mrs     x0, CurrentEL
    cmp     x0, #(2 << 2)
    b.ne    boot_park
    bl      boot_set_vectors
    bl      boot_reset_translation
    adr     x21, boot_block
    bl      boot_find_core
    b.hs    boot_park
    mov     x19, xzr
    ldr     x22, [x21, #{BLOCK_RUN_ROOT}]
    ldr     x24, boot_rust_secondary

// MMU and caches on, then x24(index x23, device tree x19) on this core's own stack.
boot_enter:
    ldr     x0, [x21, #{BLOCK_MAIR}]
    msr     mair_el2, x0
    ldr     x0, [x21, #{BLOCK_TCR}]
    msr     tcr_el2, x0
    msr     ttbr0_el2, x22
    isb
    ldr     x0, boot_sctlr_on
    msr     sctlr_el2, x0
    isb
    ldr     x1, boot_first_stack_top
    add     x1, x1, x23, lsl #{CORE_STRIDE_SHIFT}
    mov     sp, x1
    mov     x0, x23
    mov     x1, x19
    mov     x29, xzr
    mov     x30, xzr
    br      x24

// Exceptions, until Rust sets its own vectors, are reported by boot_exception.
boot_set_vectors:
    mov     x25, xzr
    adr     x0, boot_vectors
    msr     vbar_el2, x0
    isb
    ret

// MMU off in a known state, EL2 without VHE, no stale translation or instruction.
boot_reset_translation:
    ldr     x0, boot_sctlr_off
    msr     sctlr_el2, x0
    isb
    mov     x0, #{HCR_BOOT}
    msr     hcr_el2, x0
    isb
    tlbi    alle2
    ic      iallu
    dsb     sy
    isb
    ret

// The seal (septum_plan::seal) of x1 bytes, a multiple of 8, from x0 on, 8-byte aligned -> x0. Clobbers x1 to x12.
// x2 is the running value before its rotation, so that a step is two instructions: the rotation rides on EOR.
    .macro  seal_step word
    eor     x2, \word, x2, ror #{ROTATION}
    mul     x2, x2, x3
    .endm
boot_seal:
    ldr     x2, boot_seed
    ldr     x3, boot_multiplier
    eor     x2, x2, x1
    ror     x2, x2, #{UNROTATION}
    and     x12, x1, #~127
    add     x1, x0, x1
    add     x12, x0, x12
    cmp     x0, x12
    b.eq    2f
1:  .rept   2
    ldp     x4, x5, [x0], #16
    ldp     x6, x7, [x0], #16
    ldp     x8, x9, [x0], #16
    ldp     x10, x11, [x0], #16
    .irp    word, x4, x5, x6, x7, x8, x9, x10, x11
    seal_step \word
    .endr
    .endr
    cmp     x0, x12
    b.ne    1b
2:  cmp     x0, x1
    b.eq    3f
    ldr     x4, [x0], #8
    seal_step x4
    b       2b
3:  ror     x0, x2, #{ROTATION}
    ret

// Cleans and invalidates x1 bytes from x0 on by VA to the PoC. Clobbers x0 to x3.
boot_clean:
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4         // DminLine: log2 of the words in the smallest line
    mov     x3, #4
    lsl     x3, x3, x2
    add     x1, x0, x1
1:  dc      civac, x0
    add     x0, x0, x3
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    ret

// This core's index in the plan -> x23, and "lower"; "higher or same" where the plan has no such core. Clobbers x0-x3.
boot_find_core:
    mrs     x0, mpidr_el1
    ldr     x1, boot_affinity
    and     x0, x0, x1
    ldr     x1, [x21, #{BLOCK_PLAN}]
    ldr     w2, [x1, #{PLAN_CORE_COUNT}]
    ldr     w3, [x1, #{PLAN_CORES}]
    add     x1, x1, x3
    mov     x23, xzr
1:  cmp     x23, x2
    b.hs    2f
    ldr     x3, [x1, #{CORE_MPIDR}]
    cmp     x3, x0
    b.eq    3f
    add     x1, x1, #{CORE_BYTES}
    add     x23, x23, #1
    b       1b
3:  cmp     x23, x2                 // lower
2:  ret

// Refusals: plain text on the console that the boot block names, closed by a zero byte so that a reader of log frames
// recovers; then the core parks. `text_B01` and so on are boot.rs's macros, with the texts of `septum_plan::refusal`. Where the boot block is what is damaged, this is the best that can be tried.
    .macro  refusal label, number
\label:
    adr     x0, 1f
    b       boot_refuse
1:  text_\number
    .balign 4
    .endm
    refusal boot_refuse_el1, B01
    refusal boot_refuse_el3, B02
    refusal boot_refuse_alignment, B03
    refusal boot_refuse_block, B04
    refusal boot_refuse_version, B05
    refusal boot_refuse_plan, B06
    refusal boot_refuse_core, B07
    refusal boot_refuse_format, B08

// From Rust, at this page's physical address with the MMU on: sealed, but no plan that this EL2 can read.
boot_refuse_unreadable:
    bl      boot_reset_translation
    adr     x21, boot_block
    b       boot_refuse_format

boot_refuse:
    mov     x5, x0
    bl      boot_console
    mov     x0, x5
    bl      boot_print
boot_refuse_end:
    adr     x0, boot_suffix
    bl      boot_print
    strb    wzr, [x2]

boot_park:
    wfi
    b       boot_park

// The console that the boot block names: x2 its data register, x3 its status register, whose bits w4 are w10 when it
// takes a byte; then the prefix of all refusals. Clobbers x0, x1, x6, x7, x9.
boot_console:
    mov     x9, x30
    ldr     x1, [x21, #{BLOCK_CONSOLE}]
    ldrh    w2, [x21, #{BLOCK_PORT_DATA}]
    add     x2, x1, x2
    ldrh    w3, [x21, #{BLOCK_PORT_STATUS}]
    add     x3, x1, x3
    ldr     w4, [x21, #{BLOCK_PORT_MASK}]
    ldr     w10, [x21, #{BLOCK_PORT_READY}]
    adr     x0, boot_prefix
    bl      boot_print
    br      x9

// Zero-terminated text at x0 to the data register x2 whenever the status register x3 says so.
1:  ldr     w7, [x3]
    and     w7, w7, w4
    cmp     w7, w10
    b.ne    1b
    str     w6, [x2]
boot_print:
    ldrb    w6, [x0], #1
    cbnz    w6, 1b
    ret
boot_prefix:
    text_prefix
boot_suffix:
    .asciz  "\r\n"

    .balign 8
boot_magic:
    .quad   {MAGIC}
boot_seed:
    .quad   {SEED}
boot_multiplier:
    .quad   {MULTIPLIER}
boot_affinity:
    .quad   {MPIDR_AFFINITY}
boot_sctlr_off:
    .quad   {SCTLR_OFF}
boot_sctlr_on:
    .quad   {SCTLR_ON}
boot_first_stack_top:
    .quad   {FIRST_STACK_TOP}
boot_rust_primary:
    .quad   {PRIMARY}
boot_rust_secondary:
    .quad   {SECONDARY}

// The vectors until Rust's own: any exception, from the first instruction on, with the MMU on or off, is named. The code
// lies in the slots' spare room.
    .balign 0x800
boot_vectors:
    b       boot_exception
boot_exception:
    cbnz    x25, boot_park          // the console itself is what fails
    mov     x25, #1
    bl      boot_reset_translation  // this page is mapped at its physical address: it goes on running
    adr     x21, boot_block
    bl      boot_console
    adr     x0, boot_exception_text
    bl      boot_print
    mrs     x5, esr_el2
    bl      boot_print_number
    mrs     x5, elr_el2
    bl      boot_print_number
    mrs     x5, far_el2
    bl      boot_print_number
    b       boot_refuse_end
    .balign 0x80
    b       boot_exception
// x5 in hexadecimal, to the console. Clobbers x0, x6 to x9.
boot_print_number:
    mov     x9, x30
    adr     x0, boot_hexadecimal
    bl      boot_print
    mov     x8, #60
1:  lsr     x6, x5, x8
    and     x6, x6, #0xf
    cmp     x6, #10
    add     x7, x6, #('a' - 10)
    add     x6, x6, #'0'
    csel    x6, x6, x7, lo
2:  ldr     w7, [x3]
    and     w7, w7, w4
    cmp     w7, w10
    b.ne    2b
    str     w6, [x2]
    subs    x8, x8, #4
    b.hs    1b
    br      x9
    .balign 0x80
    b       boot_exception
boot_exception_text:
    text_B09
boot_hexadecimal:
    .asciz  " 0x"
    .balign 0x80
    .rept   13
    b       boot_exception
    .balign 0x80
    .endr
    .text
