// EL2's exception vectors (Arm ARM D1.3.1.5): sixteen entries of 32 instructions, in four groups. See vectors.rs.

    .section .text.vectors, "ax"

// Registers that a called function may change, to a new frame on the stack, and back. x19 to x29 keep their values
// across the call, as the procedure call standard says.
.macro save_caller_saved
    stp     x0, x1, [sp, #-{FRAME_BYTES}]!
    stp     x2, x3, [sp, #16 * 1]
    save_other_caller_saved
.endm

.macro save_other_caller_saved
    save_x4_to_x17
    stp     x18, x30, [sp, #16 * 9]
.endm

.macro save_x4_to_x17
    stp     x4, x5, [sp, #16 * 2]
    stp     x6, x7, [sp, #16 * 3]
    stp     x8, x9, [sp, #16 * 4]
    stp     x10, x11, [sp, #16 * 5]
    stp     x12, x13, [sp, #16 * 6]
    stp     x14, x15, [sp, #16 * 7]
    stp     x16, x17, [sp, #16 * 8]
.endm

.macro restore_caller_saved_and_return
    ldp     x2, x3, [sp, #16 * 1]
    ldp     x4, x5, [sp, #16 * 2]
    ldp     x6, x7, [sp, #16 * 3]
    ldp     x8, x9, [sp, #16 * 4]
    ldp     x10, x11, [sp, #16 * 5]
    ldp     x12, x13, [sp, #16 * 6]
    ldp     x14, x15, [sp, #16 * 7]
    ldp     x16, x17, [sp, #16 * 8]
    ldp     x18, x30, [sp, #16 * 9]
    ldp     x0, x1, [sp], #{FRAME_BYTES}
    eret
.endm

// EL2's own faults: nothing returns, so SP_EL0 and TPIDR_EL0 (the partition's, which stops) take two registers while
// SP moves to the emergency stack, whatever state the own stack is in.
.macro own_fault vector
    .balign 0x80
    msr     sp_el0, x0
    msr     tpidr_el0, x1
    mov     x1, #\vector
    b       own_fault
.endm

// From a partition, synchronous: first the hot paths, then, with the whole frame, everything else. Bit 27 of
// ESR_EL2 tells HVC (EC 0x16) and SMC (0x17) from trapped system registers (0x18) and data aborts (0x24), bit 29 these two.
.macro synchronous
    .balign 0x80
    stp     x0, x1, [sp, #-{FRAME_BYTES}]!
    stp     x2, x3, [sp, #16 * 1]
    mrs     x1, esr_el2
    tbz     w1, #27, no_call
    save_other_caller_saved
    mov     x0, sp
    bl      {HOT_CALL}
    cbnz    x0, synchronous_rest
    restore_caller_saved_and_return
.endm

// From a partition, a physical interrupt. With a GICv3, a PPI of the guest's goes straight into list register 0 if that
// is free: its content is ready in the core's mailbox. Everything else goes on with x0 = IAR's value, x1 = the mailbox.
.macro interrupt
    .balign 0x80
    stp     x0, x1, [sp, #-{FRAME_BYTES}]!
    stp     x2, x3, [sp, #16 * 1]
    mrs     x1, tpidr_el2
    add     x1, x1, #{MAILBOX}
    ldr     w2, [x1, #{ALL_EMPTY}]
    cbz     w2, interrupt_not_acknowledged
    mrs     x0, S3_0_C12_C12_0          // ICC_IAR1_EL1
    sub     w2, w0, #16
    cmp     w2, #16
    b.hs    interrupt_no_ppi
    ldr     x2, [x1, x0, lsl #3]
    mrs     x3, S3_4_C12_C11_5          // ICH_ELRSR_EL2
    cbz     x2, interrupt_rest
    tbz     w3, #0, interrupt_rest
    msr     S3_0_C12_C12_1, x0          // ICC_EOIR1_EL1
    msr     S3_4_C12_C12_0, x2          // ICH_LR0_EL2
    ldp     x2, x3, [sp, #16 * 1]
    ldp     x0, x1, [sp], #{FRAME_BYTES}
    eret
.endm

.macro rare_only kind
    .balign 0x80
    save_caller_saved
    mov     x1, #\kind
    b       rare
.endm

    .balign 0x800
    .global vectors
vectors:
    own_fault 0
    own_fault 1
    own_fault 2
    own_fault 3

    own_fault 4
    own_fault 5
    own_fault 6
    own_fault 7

    synchronous
    interrupt
    rare_only {FIQ}
    rare_only {SERROR}

    // No fourth group, and other code in its place: it is for an EL1 in AArch32, and HCR_EL2.RW says AArch64 whenever a
    // partition runs. What comes from AArch32 at EL0 comes by the third group, too (D1.3.1.5, table D1-7).

// As septum_core::trap::instruction::finish does, for AArch64, with x0, and SPSR_EL2 in x1.
.macro finish_instruction
    mrs     x0, elr_el2
    add     x0, x0, #{A64_BYTES}
    and     x1, x1, #{NOT_STEP}
    and     x1, x1, #{NOT_BRANCH_TYPE}
    msr     elr_el2, x0
    msr     spsr_el2, x1
.endm

// An SGI to one other core of the partition goes its way here, as septum_core::vdev::gic::sgi::Peers::post has it; the rest of
// the system registers is trap::slow's.
system_register:
    save_x4_to_x17
    mov     w0, #{ESR_SGI1R} & 0xffff
    movk    w0, #{ESR_SGI1R} >> 16, lsl #16
    sub     w0, w1, w0
    ror     w0, w0, #5                  // Rt of ESR_EL2 is bits 9:5; above 17 nothing is saved, and nothing else is an SGI
    cmp     w0, #17
    b.hi    system_register_rest
    ldr     x0, [sp, x0, lsl #3]
    mrs     x2, tpidr_el2
    ldr     x3, [x2, #{PEERS_ALLOWED}]
    bics    xzr, x0, x3
    b.ne    system_register_rest
    lsl     w3, w0, #16
    sub     w4, w3, #1
    tst     w4, w3
    b.ne    system_register_rest
    cbz     w3, system_register_rest
    clz     w3, w3
    ldr     x3, [x2, x3, lsl #3]        // the target's mailbox
    ubfx    w2, w0, #24, #4
    ldr     x4, [x3, x2, lsl #3]
    tbz     x4, #60, system_register_rest // the SGI is in group 0 there
    mov     w4, #1
    lsl     w4, w4, w2
    add     x2, x3, #{SGI_PENDING}
1:  ldxr    w0, [x2]
    orr     w0, w0, w4
    stlxr   w5, w0, [x2]
    cbnz    w5, 1b
    ldr     x3, [x3, #{IPI_WORD}]
    dsb     ishst
    msr     S3_0_C12_C11_5, x3          // ICC_SGI1R_EL1
    mrs     x1, spsr_el2
    finish_instruction
    ldp     x4, x5, [sp, #16 * 2]
    ldp     x2, x3, [sp, #16 * 1]
    ldp     x0, x1, [sp], #{FRAME_BYTES}
    eret

system_register_rest:
    stp     x18, x30, [sp, #16 * 9]
    mov     x0, sp
    bl      {SLOW}
    b       1f
no_call:
    tbnz    w1, #29, system_register
    save_other_caller_saved
    mov     x0, sp
    bl      {HOT_ACCESS}
1:  cbnz    x0, synchronous_rest
finish:
    mrs     x1, spsr_el2
    tbnz    x1, #4, finish_aarch32
    finish_instruction
restore_and_return:
    restore_caller_saved_and_return
    // Nothing behind an ERET may be speculated on.
    dsb     nsh
    isb

// x0 is trap::DECLINED or trap::FINISH.
synchronous_rest:
    tbnz    x0, #1, finish
    mov     x1, #{SYNCHRONOUS}
    b       rare
finish_aarch32:
    mov     x1, #{FINISH_AARCH32}
    b       rare

// EL2's IPI, mostly because of one virtual SGI. If that is all, and nothing is in the list registers, it goes into list
// register 0.
interrupt_no_ppi:
    cbnz    w0, interrupt_rest
    isb                                 // what the sender stored is read after its IPI
    ldr     w2, [x1, #{WORK}]
    cbnz    w2, interrupt_rest
    ldr     w2, [x1, #{SGI_PENDING}]
    ldr     w3, [x1, #{SGI_ENABLED}]
    ands    w2, w2, w3
    b.eq    interrupt_rest
    sub     w3, w2, #1
    tst     w3, w2
    b.ne    interrupt_rest
    mrs     x3, S3_4_C12_C11_5          // ICH_ELRSR_EL2
    ldr     w0, [x1, #{ALL_EMPTY}]
    cmp     w0, w3
    b.ne    interrupt_of_el2
    add     x1, x1, #{SGI_PENDING}
1:  ldxr    w0, [x1]
    bic     w0, w0, w2
    stxr    w3, w0, [x1]
    cbnz    w3, 1b
    msr     S3_0_C12_C12_1, xzr         // ICC_EOIR1_EL1
    msr     S3_0_C12_C11_1, xzr         // ICC_DIR_EL1
    rbit    w2, w2
    clz     w2, w2
    sub     x1, x1, #{SGI_PENDING}
    ldr     x2, [x1, x2, lsl #3]
    msr     S3_4_C12_C12_0, x2          // ICH_LR0_EL2
    ldp     x2, x3, [sp, #16 * 1]
    ldp     x0, x1, [sp], #{FRAME_BYTES}
    eret

interrupt_of_el2:
    mov     x0, #0
    b       interrupt_rest
interrupt_not_acknowledged:
    mov     x0, #{NOT_ACKNOWLEDGED}
interrupt_rest:
    save_other_caller_saved
    mov     x1, x0
    mov     x0, sp
    bl      {INTERRUPT}
    restore_caller_saved_and_return

// The whole frame: what `save_caller_saved` left out, and where the partition was. x1 is the kind of trap.
rare:
    stp     x19, x20, [sp, #16 * 10]
    stp     x21, x22, [sp, #16 * 11]
    stp     x23, x24, [sp, #16 * 12]
    stp     x25, x26, [sp, #16 * 13]
    stp     x27, x28, [sp, #16 * 14]
    mrs     x2, elr_el2
    stp     x29, x2, [sp, #16 * 15]
    mrs     x2, spsr_el2
    mrs     x3, esr_el2
    stp     x2, x3, [sp, #16 * 16]
    mov     x0, sp
    bl      {RARE}
    ldp     x29, x2, [sp, #16 * 15]
    msr     elr_el2, x2
    ldr     x2, [sp, #16 * 16]
    msr     spsr_el2, x2
    ldp     x19, x20, [sp, #16 * 10]
    ldp     x21, x22, [sp, #16 * 11]
    ldp     x23, x24, [sp, #16 * 12]
    ldp     x25, x26, [sp, #16 * 13]
    ldp     x27, x28, [sp, #16 * 14]
    b       restore_and_return

// x1 is the vector, SP_EL0 and TPIDR_EL0 hold x0 and x1. SP_EL1 is the partition's and takes EL2's SP.
own_fault:
    mov     x0, sp
    msr     sp_el1, x0
    mrs     x0, tpidr_el2
    add     x0, x0, #({STATE_BYTES} - {OWN_FAULT_BYTES})
    mov     sp, x0
    stp     x2, x3, [sp, #16 * 1]
    stp     x4, x5, [sp, #16 * 2]
    stp     x6, x7, [sp, #16 * 3]
    stp     x8, x9, [sp, #16 * 4]
    stp     x10, x11, [sp, #16 * 5]
    stp     x12, x13, [sp, #16 * 6]
    stp     x14, x15, [sp, #16 * 7]
    stp     x16, x17, [sp, #16 * 8]
    stp     x18, x19, [sp, #16 * 9]
    stp     x20, x21, [sp, #16 * 10]
    stp     x22, x23, [sp, #16 * 11]
    stp     x24, x25, [sp, #16 * 12]
    stp     x26, x27, [sp, #16 * 13]
    stp     x28, x29, [sp, #16 * 14]
    mrs     x4, sp_el1
    stp     x30, x4, [sp, #16 * 15]
    mrs     x4, sp_el0
    mrs     x5, tpidr_el0
    stp     x4, x5, [sp, #16 * 0]
    mrs     x4, elr_el2
    mrs     x5, esr_el2
    stp     x4, x5, [sp, #16 * 16]
    mrs     x4, far_el2
    mrs     x5, spsr_el2
    stp     x4, x5, [sp, #16 * 17]
    mov     x0, sp
    bl      {OWN_FAULT}

// Into a partition: x0 is the arguments (four doublewords), x1 the stack's top. ELR_EL2 and SPSR_EL2 are set.
    .global enter_partition
enter_partition:
    mov     sp, x1
    ldp     x2, x3, [x0, #16]
    ldp     x0, x1, [x0]
    .irp    n, 4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    mov     x\n, xzr
    .endr
    eret
    dsb     nsh
    isb
    .text
